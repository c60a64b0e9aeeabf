import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { identify, isRunning, type ProcessIdentity } from '../../../src/stack/process-identity.ts';

/** A process of a folder, as Linux tells it. */
export interface FolderProcess extends ProcessIdentity {
  session: number;
  command: string;
}

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

/**
 * Every process that belongs to a folder, whoever its parent is now: it names the folder in its command line or environment or has
 * a file open there, or the leader of its session does (the helpers of a helper say nothing of themselves).
 */
export function processesOf(folder: string): FolderProcess[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => describe(Number(name)));
  const ours = new Set(all.filter(({ pid }) => mentions(pid, folder)).map(({ pid }) => pid));
  return all.filter(({ pid, session }) => ours.has(pid) || ours.has(session));
}

function describe(pid: number): FolderProcess[] {
  const identity = identify(pid);
  if (identity === null) return [];
  const stat = read(`/proc/${pid}/stat`);
  const session = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]);
  return [{ ...identity, session, command: read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim() }];
}

function mentions(pid: number, folder: string): boolean {
  return ['cmdline', 'environ'].some((name) => read(`/proc/${pid}/${name}`).includes(folder)) || hasOpen(pid, folder);
}

function hasOpen(pid: number, folder: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((descriptor) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${descriptor}`).startsWith(`${folder}/`);
      } catch {
        return false;
      }
    });
  } catch {
    return false;
  }
}

/** kill -9, unless the process has ended and somebody else has its id now. */
export function killNow(identity: ProcessIdentity): void {
  if (!isRunning(identity)) return;
  try {
    process.kill(identity.pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** What still runs after `withinMs`: of the folder, or known to have been. */
export async function orphans(folder: string, known: readonly FolderProcess[], withinMs = 5_000): Promise<FolderProcess[]> {
  for (const until = Date.now() + withinMs; ; await delay(100)) {
    const left = new Map([...processesOf(folder), ...known.filter(isRunning)].map((one) => [one.pid, one]));
    if (left.size === 0 || Date.now() > until) return [...left.values()];
  }
}
