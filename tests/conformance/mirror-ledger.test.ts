import { inject } from 'vitest';
import { createSupabaseLedger } from '../../src/ledger/supabase-ledger.ts';
import { createSupabaseMirrorLedger } from '../../src/ledger/supabase-mirror-ledger.ts';
import { applyMigrations, createTestDatabase, startPostgrest } from '../support/postgrest.ts';
import { describeMirrorLedger } from './mirror-ledger-suite.ts';

describeMirrorLedger('Mirrors in Supabase Lite', async () => ({
  ledger: createSupabaseLedger(inject('supabase')),
  mirrors: createSupabaseMirrorLedger(inject('supabase')),
  close: async () => {},
}));

describeMirrorLedger('Mirrors over PostgREST', async () => {
  const database = await createTestDatabase(inject('postgresUrl'));
  await applyMigrations(database.sql);
  const postgrest = await startPostgrest(database.url);
  return {
    ledger: createSupabaseLedger(postgrest),
    mirrors: createSupabaseMirrorLedger(postgrest),
    async close() {
      await postgrest.stop();
      await database.drop();
    },
  };
});
