import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { entryPoint } from './paths.ts';

const AGAIN_AFTER_MS = 1000;

/**
 * Stops the stack's processes when its supervisor is killed: a shell that waits for the end of a pipe which only the supervisor
 * holds, and then becomes the program that cleans up. A shell, because it costs no memory while it waits.
 */
export class Reaper {
  readonly #stateDir: string;
  readonly #env: Readonly<Record<string, string | undefined>>;
  #child: ChildProcess | null = null;
  #stopped = false;

  constructor(stateDir: string, env: Readonly<Record<string, string | undefined>>) {
    this.#stateDir = stateDir;
    this.#env = env;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  start(): void {
    const script = 'trap "" INT TERM HUP; cat >/dev/null; exec "$0" "$1" "$2"';
    const child = spawn('/bin/sh', ['-c', script, process.execPath, entryPoint('./reap', import.meta.url), this.#stateDir], {
      cwd: '/',
      env: { PATH: this.#env.PATH },
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    child.stdin?.on('error', () => {});
    child.once('error', () => {});
    child.once('exit', async () => {
      this.#child = null;
      await delay(AGAIN_AFTER_MS, null, { ref: false });
      if (!this.#stopped) this.start();
    });
    this.#child = child;
  }

  /** To be called when there is nothing left to clean up. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const child = this.#child;
    if (child === null || child.pid === undefined) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    // The group: the shell and the `cat` that it waits for.
    process.kill(-child.pid, 'SIGKILL');
    await gone;
  }
}
