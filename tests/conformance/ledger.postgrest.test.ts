import { afterAll, inject } from 'vitest';
import { createSupabaseLedger } from '../../src/ledger/supabase-ledger.ts';
import { applyMigrations, createTestDatabase, startPostgrest } from '../support/postgrest.ts';
import { describeLedger } from './ledger-suite.ts';

const closing: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

describeLedger('PostgREST', async () => {
  const database = await createTestDatabase(inject('postgresUrl'));
  closing.push(() => database.drop());
  await applyMigrations(database.sql);
  const postgrest = await startPostgrest(database.url);
  closing.push(() => postgrest.stop());
  return createSupabaseLedger(postgrest);
});
