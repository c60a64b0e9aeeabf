import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { loadConfig } from '../../src/config/index.ts';
import { takeLock } from '../../src/stack/lock.ts';
import { findProgram } from '../../src/stack/temporal/binary.ts';
import { freePort } from './free-port.ts';
import { cleanEnv, scratchFolder } from './stack.ts';

const VERSION = '1.8.0';
const PACKAGE = `github.com/versity/versitygw/cmd/versitygw@v${VERSION}`;
/** For a test's set-up: a build on a cold machine takes minutes. */
export const BUILD_TIMEOUT_MS = 600_000;

export interface S3Server {
  url: string;
  accessKeyId: string;
  secretAccessKey: string;
  close(): Promise<void>;
}

const { cacheDir } = loadConfig({ env: cleanEnv(tmpdir()), cwd: tmpdir() }).stack;
const cached = () => findProgram('versitygw', { PATH: join(cacheDir, `versitygw-${VERSION}`) });
const found = () => findProgram('versitygw', process.env) ?? cached();

/** Why there is no S3 server to test with; null where there is one, or where it can be built. */
export const noVersitygw = (): string | null =>
  found() === null && findProgram('go', process.env) === null
    ? `versitygw is neither on the PATH nor in ${cacheDir}, and there is no Go to build it with`
    : null;

/** A strict S3 server over a folder of its own, independent of us: https://github.com/versity/versitygw. Built once, with Go. */
export async function startVersitygw(): Promise<S3Server> {
  const program = await obtain();
  const folder = scratchFolder('s3');
  const [objects, sidecar] = ['objects', 'sidecar'].map((name) => join(folder.path, name)) as [string, string];
  for (const path of [objects, sidecar]) mkdirSync(path);
  const keys = { accessKeyId: 'test-access-key', secretAccessKey: 'test-secret-key' };
  const port = await freePort();
  const child = spawn(program, ['--port', `127.0.0.1:${port}`, '--quiet', '--keep-alive', 'posix', '--sidecar', sidecar, objects], {
    env: { ROOT_ACCESS_KEY_ID: keys.accessKeyId, ROOT_SECRET_ACCESS_KEY: keys.secretAccessKey },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const log: string[] = [];
  child.stderr.on('data', (chunk) => log.push(String(chunk)));
  await untilReady(child, port, log);
  return {
    url: `http://127.0.0.1:${port}`,
    ...keys,
    async close() {
      const exited = new Promise((resolve) => child.once('exit', resolve));
      if (child.kill('SIGTERM')) await exited;
      folder.remove();
    },
  };
}

/** Several processes may ask at once: one builds and the others wait. */
async function obtain(): Promise<string> {
  const folder = join(cacheDir, `versitygw-${VERSION}`);
  mkdirSync(folder, { recursive: true });
  for (;;) {
    const program = found();
    if (program !== null) return program;
    const lock = await takeLock(folder, () => null);
    if (lock === null) {
      await sleep(200);
      continue;
    }
    try {
      return found() ?? (await build(folder));
    } finally {
      await lock.release();
    }
  }
}

async function build(folder: string): Promise<string> {
  const go = findProgram('go', process.env);
  if (go === null) throw new Error(noVersitygw() ?? '');
  for (const name of readdirSync(folder)) if (name.startsWith('build-')) rmSync(join(folder, name), { recursive: true, force: true });
  const scratch = mkdtempSync(join(folder, 'build-'));
  try {
    await promisify(execFile)(go, ['install', PACKAGE], { cwd: scratch, env: { ...process.env, GOBIN: scratch } });
    renameSync(join(scratch, 'versitygw'), join(folder, 'versitygw'));
    return join(folder, 'versitygw');
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function untilReady(child: ChildProcess, port: number, log: string[]): Promise<void> {
  for (let waited = 0; waited < 15_000; waited += 50) {
    if (child.exitCode !== null) throw new Error(`versitygw ended with ${child.exitCode}: ${log.join('')}`);
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => null);
    if (answer !== null) return;
    await sleep(50);
  }
  child.kill('SIGKILL');
  throw new Error(`versitygw did not start within 15 s: ${log.join('')}`);
}
