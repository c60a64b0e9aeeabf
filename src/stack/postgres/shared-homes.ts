import { createHash } from 'node:crypto';
import { existsSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { readIfThere, writeAtomically } from '../atomic-file.ts';
import { statePaths } from '../paths.ts';
import { readInstance } from '../secrets.ts';

/** Where things go that another user than root must reach and that cannot be below the state folder. */
export const SHARED = '/var/lib/cutover';

/** Where the data of a state folder goes that the account of PostgreSQL cannot reach. @param instance tells it from an earlier one there */
export function sharedHome(stateDir: string, instance: string): string {
  return join(SHARED, homeName(stateDir, instance));
}

function homeName(stateDir: string, instance: string): string {
  const path = existsSync(stateDir) ? realpathSync(stateDir) : stateDir;
  return createHash('sha256').update(`${path}\0${instance}`).digest('hex').slice(0, 16);
}

/** Writes beside the data whose it is, so that it can be told when its state folder has been deleted. */
export function rememberOwner(home: string, stateDir: string): void {
  writeAtomically(join(home, 'owner'), realpathSync(stateDir), 0o600);
}

/** Data whose state folder is gone, or has been made anew since: nobody can use it any more. */
export function abandonedHomes(): { home: string; stateDir: string }[] {
  if (!existsSync(SHARED)) return [];
  return readdirSync(SHARED).flatMap((name) => {
    const home = join(SHARED, name);
    const stateDir = /^[0-9a-f]{16}$/.test(name) ? readIfThere(join(home, 'owner')) : null;
    if (stateDir === null) return [];
    const instance = readInstance(statePaths(stateDir).secrets);
    return instance !== null && homeName(stateDir, instance) === name ? [] : [{ home, stateDir }];
  });
}

/**
 * Removes abandoned data of stacks that lived in the system's folder for temporary files, where folders come and go. Of others
 * the disk may only be unmounted: those are for `cutover doctor` to tell of.
 */
export function removeAbandonedTemporaries(): void {
  const temporary = realpathSync(tmpdir()) + sep;
  for (const { home, stateDir } of abandonedHomes())
    if (stateDir.startsWith(temporary) && !existsSync(join(home, 'data', 'postmaster.pid'))) rmSync(home, { recursive: true, force: true });
}
