import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { countOf } from '../domain/format.ts';
import { packageRoot } from './paths.ts';

export interface Migration {
  file: string;
  /** The digits in front: `supabase db push` and we record it by them. */
  version: string;
  name: string;
}

/** Those that this version of Cutover comes with. */
export const ledgerMigrationsFolder = (): string => join(packageRoot(), 'supabase/migrations');

/** In the order in which they are applied. */
export function migrationsIn(folder: string): Migration[] {
  return readdirSync(folder)
    .sort()
    .flatMap((file) => {
      const [, version, name] = /^(\d+)_(.*)\.sql$/.exec(file) ?? [];
      return version === undefined || name === undefined ? [] : [{ file, version, name }];
    });
}

/**
 * What an operator is to be told who brought in a new version and forgot the migrations; null where nothing is missing, or nothing
 * is on record: they were applied by hand then.
 * @param applied versions that the database has on record
 */
export function missingMigrations(applied: readonly string[] | null, migrations: readonly Migration[]): string | null {
  const has = new Set(applied);
  const missing = migrations.filter(({ version }) => !has.has(version)).map(({ file }) => file);
  // Not one of them: another tool recorded what it applied under names of its own, or an application's own migrations.
  if (missing.length === 0 || missing.length === migrations.length) return null;
  return `the ledger lacks ${countOf(missing.length, 'migration')} of this version: ${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ', …' : ''}`;
}
