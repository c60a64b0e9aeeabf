import { expect, inject, test } from 'vitest';
import { createSupabaseLedger } from '../../src/ledger/supabase-ledger.ts';
import { ledgerMigrationsFolder, migrationsIn, missingMigrations } from '../../src/stack/ledger-migrations.ts';
import { applyMigrations, createTestDatabase, startPostgrest } from '../support/postgrest.ts';

const migrations = migrationsIn(ledgerMigrationsFolder());
const versions = migrations.map(({ version }) => version);

test('every migration has a version of its own', () => {
  expect(new Set(versions).size).toBe(versions.length);
});

test('the embedded ledger says that it has every migration of this version', async () => {
  const applied = await createSupabaseLedger(inject('supabase')).check();
  expect(applied).toEqual(versions);
  expect(missingMigrations(applied, migrations)).toBeNull();
});

test('a ledger tells which migrations it lacks, one from the middle too, and nothing where nobody kept a record', async () => {
  const database = await createTestDatabase(inject('postgresUrl'));
  await applyMigrations(database.sql);
  const postgrest = await startPostgrest(database.url);
  const { check } = createSupabaseLedger(postgrest);
  try {
    expect(await check()).toBeNull();
    expect(missingMigrations(null, migrations)).toBeNull();
    // As `supabase db push` keeps it.
    await database.sql.unsafe(`
      create schema supabase_migrations;
      create table supabase_migrations.schema_migrations (version text not null primary key, statements text[], name text);`);
    const forgotten = [migrations.at(3), migrations.at(-1)];
    const applied = ['20250101000000', ...versions].filter((version) => forgotten.every((one) => one?.version !== version));
    for (const version of applied) await database.sql`insert into supabase_migrations.schema_migrations (version) values (${version})`;
    expect(await check()).toEqual(applied);
    expect(missingMigrations(applied, migrations)).toBe(
      `the ledger lacks 2 migrations of this version: ${forgotten[0]?.file}, ${forgotten[1]?.file}`,
    );
    // An application's own, and none of ours under our names.
    expect(missingMigrations(['20250101000000'], migrations)).toBeNull();
  } finally {
    await postgrest.stop();
    await database.drop();
  }
});
