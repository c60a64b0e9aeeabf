import { existsSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { takeLock } from './lock.ts';
import { type StatePaths, statePaths } from './paths.ts';
import { postgresHomes } from './postgres/placement.ts';
import { stopStrayPostgres } from './postgres/service.ts';
import { stopLeftovers } from './process-records.ts';
import { readInstance } from './secrets.ts';

/**
 * Brings a folder whose supervisor was killed back to rest: its processes stopped in order, half-written files and the addresses
 * that nothing answers at removed. To be called with the folder's lock. Touches nothing in a folder in which no stack ever was.
 * @returns names of the processes that were stopped
 */
export async function cleanUp(paths: StatePaths): Promise<string[]> {
  if (!existsSync(paths.ports)) return [];
  const stopped = await stopLeftovers(paths.processes);
  const instance = readInstance(paths.secrets);
  const homes = instance === null ? [paths.postgres] : Object.values(postgresHomes(paths.postgres, instance));
  for (const home of homes) if (existsSync(home) && (await stopStrayPostgres(join(home, 'data')))) stopped.push('postgres');
  const written = [paths.env, paths.secrets, paths.ports, paths.processes].map((path) => basename(path));
  for (const name of readdirSync(paths.dir))
    if (written.some((ours) => name.startsWith(`${ours}.`)) && name.endsWith('.tmp')) rmSync(join(paths.dir, name), { force: true });
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
