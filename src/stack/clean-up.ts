import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere } from './atomic-file.ts';
import type { StatePaths } from './paths.ts';
import { postgresHomes } from './postgres/placement.ts';
import { stopStrayPostgres } from './postgres/service.ts';
import { stopLeftovers } from './process-records.ts';

/**
 * Brings a folder whose supervisor was killed back to rest: its processes stopped in order, half-written files and the addresses
 * that nothing answers at removed. To be called with the folder's lock. @returns names of the processes that were stopped
 */
export async function cleanUp(paths: StatePaths): Promise<string[]> {
  const stopped = await stopLeftovers(paths.processes);
  const instance = instanceOf(paths);
  const homes = instance === null ? [paths.postgres] : Object.values(postgresHomes(paths.postgres, instance));
  for (const home of homes) if (existsSync(home) && (await stopStrayPostgres(join(home, 'data')))) stopped.push('postgres');
  for (const name of readdirSync(paths.dir)) if (name.endsWith('.tmp')) rmSync(join(paths.dir, name), { force: true });
  rmSync(paths.processes, { force: true });
  rmSync(paths.env, { force: true });
  return stopped;
}

function instanceOf(paths: StatePaths): string | null {
  try {
    return (JSON.parse(readIfThere(paths.secrets) ?? 'null') as { instance?: string } | null)?.instance ?? null;
  } catch {
    return null;
  }
}
