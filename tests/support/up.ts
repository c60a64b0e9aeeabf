import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readStatus, type StackStatus } from '../../src/stack/status.ts';
import { cleanEnv } from './stack.ts';

const program = fileURLToPath(new URL('../../bin/cutover.js', import.meta.url));

export interface Up {
  child: ChildProcess;
  /** What it has said so far, on stdout and stderr. */
  said(): string;
  exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** `cutover up` as people start it, in a folder of its own. */
export function spawnUp(stateDir: string, args: readonly string[] = [], env: Record<string, string> = {}): Up {
  const child = spawn(process.execPath, [program, 'up', '--workers', '0', ...args], {
    cwd: stateDir,
    env: cleanEnv(stateDir, env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  const exit = once(child, 'exit').then(([code, signal]) => ({ code, signal }) as Awaited<Up['exit']>);
  return { child, said: () => text, exit };
}

/** Waits until the stack of a folder is as wanted. @throws Error with what it was last */
export async function statusOf(stateDir: string, wanted: (status: StackStatus) => boolean, withinMs = 30_000): Promise<StackStatus> {
  let last: StackStatus | null = null;
  for (const until = Date.now() + withinMs; Date.now() < until; await delay(50)) {
    last = await readStatus(stateDir);
    if (last !== null && wanted(last)) return last;
  }
  throw new Error(`the stack did not become as wanted; last: ${JSON.stringify(last)}`);
}

export const isRunning = (status: StackStatus): boolean =>
  status.state === 'running' && status.services.every(({ state }) => state === 'running');

/** Processes whose command line or environment names the folder; those that run as another user included. */
export function processesOf(stateDir: string): string[] {
  return execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(stateDir));
}

/** Waits until no process of a folder is left. @throws Error naming those that are */
export async function nothingLeft(stateDir: string, withinMs = 20_000): Promise<void> {
  for (const until = Date.now() + withinMs; processesOf(stateDir).length > 0; await delay(50))
    if (Date.now() > until) throw new Error(`left over:\n${processesOf(stateDir).join('\n')}`);
}
