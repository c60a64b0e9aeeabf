import { inject } from 'vitest';
import type { DataApiOptions } from '../../src/ledger/data-api.ts';
import { createSupabaseLedger } from '../../src/ledger/supabase-ledger.ts';
import { createSupabaseRolloutLedger } from '../../src/ledger/supabase-rollout-ledger.ts';
import { createSupabaseShadowLedger } from '../../src/ledger/supabase-shadow-ledger.ts';
import { applyMigrations, createTestDatabase, startPostgrest } from '../support/postgrest.ts';
import { describeRolloutLedger } from './rollout-ledger-suite.ts';
import { describeShadowLedger } from './shadow-ledger-suite.ts';

const ledgersOf = (api: DataApiOptions) => {
  const rollouts = createSupabaseRolloutLedger(api);
  return { ledger: createSupabaseLedger(api), rollouts, shadow: createSupabaseShadowLedger(api) };
};

async function inLite() {
  return { ...ledgersOf(inject('supabase')), close: async () => {} };
}

async function overPostgrest() {
  const database = await createTestDatabase(inject('postgresUrl'));
  await applyMigrations(database.sql);
  const postgrest = await startPostgrest(database.url);
  return {
    ...ledgersOf(postgrest),
    async close() {
      await postgrest.stop();
      await database.drop();
    },
  };
}

for (const [where, open] of [
  ['in Supabase Lite', inLite],
  ['over PostgREST', overPostgrest],
] as const) {
  describeRolloutLedger(`Rollouts ${where}`, async () => {
    const { rollouts, ...under } = await open();
    return { ...under, ledger: rollouts };
  });
  describeShadowLedger(`Shadow comparisons ${where}`, open);
}
