import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '../../domain/errors.ts';
import { type Check, failed, ok } from '../check.ts';
import type { StatePaths } from '../paths.ts';
import { readInstance } from '../secrets.ts';
import { nativeFolder } from './binaries.ts';
import { postgresEnv } from './cluster.ts';
import { postgresHomes } from './placement.ts';

/** Whether the PostgreSQL of npm runs here, and where the data is. */
export async function checkPostgres(paths: StatePaths, env: Readonly<Record<string, string | undefined>>): Promise<Check> {
  const name = 'PostgreSQL';
  try {
    const { folder } = nativeFolder();
    const { stdout } = await promisify(execFile)(join(folder, 'bin', 'postgres'), ['--version'], {
      env: postgresEnv(env),
      timeout: 10_000,
    });
    return ok(name, `${stdout.trim()}, ${folder}; ${dataPlace(paths)}`);
  } catch (error) {
    return failed(name, messageOf(error), 'Run `npm ci` with install scripts allowed, or set SUPABASE_URL to a Supabase project.');
  }
}

function dataPlace(paths: StatePaths): string {
  const instance = readInstance(paths.secrets);
  const homes = instance === null ? [] : Object.values(postgresHomes(paths.postgres, instance));
  const home = homes.find((folder) => existsSync(join(folder, 'data')));
  return home === undefined ? 'no data yet' : `data in ${join(home, 'data')}`;
}
