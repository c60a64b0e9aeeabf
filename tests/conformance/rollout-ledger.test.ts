import { inject } from 'vitest';
import { createSupabaseRolloutLedger } from '../../src/ledger/supabase-rollout-ledger.ts';
import { applyMigrations, createTestDatabase, startPostgrest } from '../support/postgrest.ts';
import { describeRolloutLedger } from './rollout-ledger-suite.ts';

describeRolloutLedger('Rollouts in Supabase Lite', async () => ({
  ledger: createSupabaseRolloutLedger(inject('supabase')),
  close: async () => {},
}));

describeRolloutLedger('Rollouts over PostgREST', async () => {
  const database = await createTestDatabase(inject('postgresUrl'));
  await applyMigrations(database.sql);
  const postgrest = await startPostgrest(database.url);
  return {
    ledger: createSupabaseRolloutLedger(postgrest),
    async close() {
      await postgrest.stop();
      await database.drop();
    },
  };
});
