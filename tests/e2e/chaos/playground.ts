import { type SpawnOptions, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readStatus } from '../../../src/stack/status.ts';
import { cleanEnv, scratchFolder } from '../../support/stack.ts';
import { type FolderProcess, killNow, orphans, processesOf } from './processes.ts';

const program = fileURLToPath(new URL('../../../bin/cutover.js', import.meta.url));

export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  env?: Record<string, string>;
  /** Runs as somebody else; needs root. */
  user?: { uid: number; gid: number };
  /** Ended, gently, when this is aborted. */
  until?: AbortSignal;
}

/** A scratch folder with a stack of its own in it, used as a person would: by the command line. */
export interface Playground {
  /** All of it; goes away in the end. */
  folder: string;
  stateDir: string;
  source: string;
  env: Record<string, string | undefined>;
  signal: AbortSignal;
  say(line: string): void;
  /** Runs a command to its end. @throws when the time of the case is over */
  cutover(args: readonly string[], options?: RunOptions): Promise<Ran>;
  /** The same for one that must end well. @throws Error with what it said */
  must(args: readonly string[], options?: RunOptions): Promise<Ran>;
  up(workers?: number): Promise<void>;
  down(): Promise<void>;
  /** The process of a part of the stack now: `supervisor`, `worker-1`, `temporal`, `postgres`, `supabase`. */
  pid(name: string): Promise<number | null>;
  /** Kills parts of the stack, or `everything` that belongs to the folder. @returns how many processes */
  kill(names: readonly string[] | 'everything'): Promise<number>;
  /** Stops parts of the stack where they are: nobody gets an answer, nor a refusal, until they are killed. */
  freeze(names: readonly string[]): Promise<void>;
  /** Every process that was there when something was killed. */
  seen: FolderProcess[];
  /** What else must be undone in the end, once nothing runs any more. */
  atEnd(undo: () => void): void;
  remove(): Promise<void>;
}

export function openPlayground(name: string, env: Record<string, string>, signal: AbortSignal): Playground {
  const scratch = scratchFolder(`chaos-${name}`);
  const folder = scratch.path;
  // Entered by other users: PostgreSQL's, and the one who may not read everything.
  chmodSync(folder, 0o755);
  const stateDir = join(folder, 'state');
  const source = join(folder, 'source');
  const temporary = join(folder, 'tmp');
  for (const path of [source, temporary]) mkdirSync(path);
  // A folder of its own for temporary files, so that what is forgotten there is found.
  const environment = cleanEnv(stateDir, { NO_COLOR: '1', TMPDIR: temporary, ...env });
  const seen: FolderProcess[] = [];
  const undos: (() => void)[] = [];
  const say = (line: string) => console.error(`  ${name}: ${line}`);

  const cutover = (args: readonly string[], { env: more = {}, user, until }: RunOptions = {}) =>
    runProgram(args, { cwd: folder, env: { ...environment, ...more }, signal, until, ...user });
  const must = async (args: readonly string[], options?: RunOptions) => {
    const ran = await cutover(args, options);
    if (ran.code !== 0) throw new Error(`cutover ${args.join(' ')} ended with ${ran.code}: ${ran.stderr.trim()}`);
    return ran;
  };
  const pid = async (part: string) => {
    const status = await readStatus(stateDir);
    return part === 'supervisor' ? (status?.pid ?? null) : (status?.services.find((service) => service.name === part)?.pid ?? null);
  };
  return {
    folder,
    stateDir,
    source,
    env: environment,
    signal,
    say,
    cutover,
    must,
    async up(workers = 2) {
      await must(['up', '--workers', String(workers), '--detach']);
    },
    async down() {
      seen.push(...processesOf(stateDir));
      await must(['down']);
    },
    pid,
    async kill(names) {
      const now = processesOf(stateDir);
      seen.push(...now);
      const pids = names === 'everything' ? null : await Promise.all(names.map(pid));
      const victims = pids === null ? now : now.filter((one) => pids.includes(one.pid));
      for (const victim of victims) killNow(victim);
      say(
        `kill -9 of ${victims.length === 1 ? '' : `${victims.length}: `}${victims.map((one) => one.pid).join(', ')} (${names === 'everything' ? names : names.join(', ')})`,
      );
      return victims.length;
    },
    async freeze(names) {
      for (const name of names) process.kill((await pid(name)) ?? Number.NaN, 'SIGSTOP');
      say(`frozen: ${names.join(', ')}`);
    },
    seen,
    atEnd: (undo) => void undos.push(undo),
    async remove() {
      for (const left of processesOf(folder)) killNow(left);
      await orphans(folder, seen);
      for (const undo of undos) undo();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}

/** What `cutover up` wrote for other commands. */
export function readStackFile(stateDir: string, name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(stateDir, name), 'utf8')) as Record<string, unknown>;
}

function runProgram(
  args: readonly string[],
  { until, ...options }: SpawnOptions & { signal: AbortSignal; until: AbortSignal | undefined },
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    options.signal.throwIfAborted();
    const child = spawn(process.execPath, [program, ...args], {
      ...options,
      killSignal: 'SIGKILL',
      stdio: ['ignore', 'pipe', 'pipe'] as const,
    });
    until?.addEventListener('abort', () => child.kill('SIGTERM'), { once: true });
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => {
        said[name] += text;
      });
    child.once('error', (error) => reject(new Error(`cutover ${args.join(' ')}: ${error.message}`, { cause: error })));
    child.once('close', (code) => resolve({ code, ...said }));
  });
}
