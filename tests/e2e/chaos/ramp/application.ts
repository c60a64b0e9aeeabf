import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Playground } from '../playground.ts';

const program = fileURLToPath(new URL('../../../../examples/upload-service.ts', import.meta.url));
const READY_MS = 30_000;
/** For what it holds and what it has counted. */
const END_MS = 20_000;

/** The example application, as a process of its own. */
export interface Application {
  url: string;
  /** What it has said of trouble beside its callers' path. */
  said(): string[];
  /** Ends it gently. @returns what it should not have left behind */
  close(): Promise<string[]>;
}

export async function startApplication({ folder, env, signal }: Playground, more: Record<string, string>): Promise<Application> {
  // A folder of its own: where it stages stays there, and only what is in it matters.
  const temporary = join(folder, 'application');
  mkdirSync(temporary, { recursive: true });
  const child = spawn(process.execPath, [program], {
    cwd: folder,
    env: { ...env, TMPDIR: temporary, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
    });
  const url = await addressOf(child, () => said.stdout.trim(), signal).catch((error: unknown) => {
    child.kill('SIGKILL');
    throw new Error(`the application did not start: ${said.stderr.trim()}`, { cause: error });
  });
  return {
    url,
    said: () => said.stderr.split('\n').filter((line) => line !== ''),
    async close() {
      const left = () => readdirSync(temporary, { recursive: true, encoding: 'utf8' }).filter((path) => path !== 'cutover-staging');
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, 'exit');
        child.kill('SIGTERM');
        const hangs = await Promise.race([ended.then(() => false), delay(END_MS, true, { ref: false })]);
        if (hangs) {
          child.kill('SIGKILL');
          return [`the application did not end within ${END_MS / 1000} s`];
        }
      }
      return left().map((path) => `the application has left ${path}`);
    },
  };
}

async function addressOf(child: ChildProcess, said: () => string, signal: AbortSignal): Promise<string> {
  for (const until = Date.now() + READY_MS; Date.now() < until && child.exitCode === null; await delay(50, null, { signal }))
    if (said().startsWith('http')) return said();
  throw new Error(`nothing within ${READY_MS / 1000} s`);
}
