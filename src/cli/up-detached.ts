import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { packageRoot, statePaths } from '../stack/paths.ts';
import { readStatus } from '../stack/status.ts';
import { announce, type UpOptions } from './announce.ts';
import type { CommandContext } from './context.ts';
import { EXIT } from './exit-codes.ts';

/** Starts `cutover up` as a process of its own, shows what it says until it is ready, and leaves it running. */
export async function startDetached({ config, output, source, signal }: CommandContext, options: UpOptions): Promise<number> {
  const { stateDir } = config();
  const { logs } = statePaths(stateDir);
  mkdirSync(logs, { recursive: true, mode: 0o700 });
  const logPath = join(logs, 'up.log');
  const log = openSync(logPath, 'w', 0o600);
  const child = spawn(process.execPath, [join(packageRoot(), 'bin', 'cutover.js'), 'up', '--workers', String(options.workers)], {
    cwd: source.cwd,
    env: { ...source.env },
    // Messages go to stderr; the data that it would print is printed here.
    stdio: ['ignore', 'ignore', log],
    detached: true,
  });
  closeSync(log);
  let exitCode: number | null = null;
  child.once('error', () => {
    exitCode = EXIT.failed;
  });
  child.once('exit', (code) => {
    exitCode = code ?? EXIT.failed;
  });
  const interrupt = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', interrupt, { once: true });
  const follow = follower(logPath);
  for (;;) {
    const status = exitCode === null ? await readStatus(stateDir) : null;
    if (options.json !== true || exitCode !== null) output.stderr.write(follow());
    if (exitCode !== null) return exitCode;
    if (status?.state === 'running' && status.pid === child.pid) {
      await announce({ output }, { ...status, stateDir }, options);
      child.unref();
      signal.removeEventListener('abort', interrupt);
      return EXIT.ok;
    }
    await delay(100);
  }
}

/** What was written to a file since the last call. */
function follower(path: string): () => string {
  let seen = 0;
  return () => {
    const fresh = readFileSync(path).subarray(seen);
    seen += fresh.length;
    return fresh.toString();
  };
}
