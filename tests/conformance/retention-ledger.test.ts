import postgres from 'postgres';
import { inject } from 'vitest';
import { createSupabaseLedger } from '../../src/ledger/supabase-ledger.ts';
import { createSupabaseRetentionLedger } from '../../src/ledger/supabase-retention-ledger.ts';
import { applyMigrations, createTestDatabase, startPostgrest } from '../support/postgrest.ts';
import { scratchFolder, startOwnStack } from '../support/stack.ts';
import { describeRetentionLedger } from './retention-ledger-suite.ts';

// A sweep looks at everything: in the ledger that the tests share it would take what is not its own.
describeRetentionLedger('Retention in Supabase Lite', async () => {
  const scratch = scratchFolder('retention');
  const stack = await startOwnStack(scratch.path);
  const sql = postgres(stack.postgresUrl ?? '', { max: 4, onnotice() {} });
  return {
    ledger: createSupabaseLedger(stack.supabase),
    retention: createSupabaseRetentionLedger(stack.supabase),
    sql,
    async close() {
      await sql.end({ timeout: 5 });
      await stack.stop();
      scratch.remove();
    },
  };
});

describeRetentionLedger('Retention over PostgREST', async () => {
  const database = await createTestDatabase(inject('postgresUrl'));
  await applyMigrations(database.sql);
  const postgrest = await startPostgrest(database.url);
  return {
    ledger: createSupabaseLedger(postgrest),
    retention: createSupabaseRetentionLedger(postgrest),
    sql: database.sql,
    async close() {
      await postgrest.stop();
      await database.drop();
    },
  };
});
