import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { takeLock } from './lock.ts';
import { type StatePaths, statePaths } from './paths.ts';
import { postgresHomes } from './postgres/placement.ts';
import { stopStrayPostgres } from './postgres/service.ts';
import { stopLeftovers } from './process-records.ts';
import { readInstance } from './secrets.ts';

/**
 * Brings a folder whose supervisor was killed back to rest: its processes stopped in order, half-written files and the addresses
 * that nothing answers at removed. To be called with the folder's lock. @returns names of the processes that were stopped
 */
export async function cleanUp(paths: StatePaths): Promise<string[]> {
  const stopped = await stopLeftovers(paths.processes);
  const instance = readInstance(paths.secrets);
  const homes = instance === null ? [paths.postgres] : Object.values(postgresHomes(paths.postgres, instance));
  for (const home of homes) if (existsSync(home) && (await stopStrayPostgres(join(home, 'data')))) stopped.push('postgres');
  for (const name of readdirSync(paths.dir)) if (name.endsWith('.tmp')) rmSync(join(paths.dir, name), { force: true });
  rmSync(paths.processes, { force: true });
  rmSync(paths.env, { force: true });
  return stopped;
}

/** The same for a folder that may not be there or may be in use: then nothing is done. */
export async function cleanUpIfLeft(stateDir: string): Promise<string[]> {
  const since = new Date().toISOString();
  const lock = existsSync(stateDir) ? await takeLock(stateDir, () => ({ state: 'cleaning', pid: process.pid, since })) : null;
  if (lock === null) return [];
  try {
    return await cleanUp(statePaths(stateDir));
  } finally {
    await lock.release();
  }
}
