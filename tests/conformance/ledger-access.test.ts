import { randomUUID } from 'node:crypto';
import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { createSupabaseLedger } from '../../src/ledger/supabase-ledger.ts';
import { createSupabaseRetentionLedger } from '../../src/ledger/supabase-retention-ledger.ts';
import { applyMigrations, createTestDatabase, type Postgrest, startPostgrest, type TestDatabase } from '../support/postgrest.ts';
import { claimRequest, reference } from './ledger-samples.ts';

let database: TestDatabase;
let postgrest: Postgrest;
let ledger: Ledger;
let tables: string[];
const ann = randomUUID();

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresUrl'));
  await applyMigrations(database.sql);
  // Supabase Lite grants every table to everybody when it starts: only row level security stands then.
  await database.sql.unsafe('grant all on all tables in schema public to anon, authenticated');
  postgrest = await startPostgrest(database.url);
  ledger = createSupabaseLedger(postgrest);
  const request = claimRequest();
  const claim = await ledger.claim(request);
  await ledger.complete(claim.copyId, request.owner, 'object');
  await ledger.addReference(claim.fileId, reference({ userId: ann, name: 'hers' }));
  await ledger.addReference(claim.fileId, reference({ userId: randomUUID(), name: 'not hers' }));
  await ledger.addReference(claim.fileId, reference({ userId: null, name: "nobody's" }));
  await ledger.recordMigrationItems('m', [
    {
      ...{ path: 'a', sizeBytes: 1, status: 'uploaded', sha256: null, fileId: claim.fileId, providerFileId: 'object' },
      ...{ verified: 'none', errorCode: null, error: null, sourceProvider: null, sourceId: null },
    },
  ]);
  await ledger.reportProviderState({
    ...{ provider: 'kimi', account: 'main', reporter: 'host:1', circuit: 'closed' },
    ...{ lastErrorCode: null, lastError: null, lastErrorAt: null },
  });
  await database.sql.unsafe(`
    insert into rollouts (tool) values ('kimi');
    insert into object_sightings select id, now() from provider_file_uploads;
    insert into reconcile_items (run_id, provider, account, kind, object_id) values ('r', 'kimi', 'main', 'unknown', 'object');
    insert into backfill_items (run_id, file_id, outcome) values ('b', gen_random_uuid(), 'unreadable');
    insert into legacy_copies (legacy_id, tool, file_id) select 'old', 'kimi', id from files limit 1;
    insert into shadow_breakers (tool) values ('kimi');
    insert into operator_settings (key, value, set_by) values ('shadow', '{}', 'ann');
    insert into rollout_events (tool, decision, decided_by, reason) values ('kimi', 'start', 'ann', 'test');
    insert into operation_outcomes (tool, arm, minute, count) values ('kimi', 'unified', date_trunc('minute', now()), 1);
    insert into operation_outcome_batches (id) values (gen_random_uuid());
    insert into shadow_comparisons (tool, operation, operation_id, control, candidate, matched) values ('kimi', 'upload', '1', '{}', '{}', true)`);
  const retention = createSupabaseRetentionLedger(postgrest);
  const rules = { retentionDays: 0, orphanDays: 0, graceDays: 0, quotaMinAgeDays: 0, includeReview: false };
  await retention.beginSweep({ runId: claim.fileId, workflowId: null, dryRun: true, rules });
  await retention.endPurges(claim.fileId, 'sweep', [{ copyId: claim.copyId, outcome: 'planned', code: null }]);
  await retention.holdFile(claim.fileId, true, { reason: null, by: 'ann' });
  const rows = await database.sql`select tablename from pg_tables where schemaname = 'public' order by 1`;
  tables = rows.map((row) => row.tablename as string);
});
afterAll(async () => {
  await postgrest?.stop();
  await database?.drop();
});

const as = (token: string) =>
  createClient(postgrest.url, postgrest.publishableKey, { accessToken: async () => token, auth: { persistSession: false } });

async function counts(token: string): Promise<Record<string, number>> {
  const client = as(token);
  const entries = tables.map(async (table) => {
    const { data, error } = await client.from(table).select('*');
    expect(error).toBeNull();
    return [table, data?.length ?? -1] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

describe('Who may see and change the ledger', () => {
  it('is guarded by row level security on every table', async () => {
    const open = await database.sql`
      select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relrowsecurity`;
    expect(open).toEqual([]);
    expect(tables).toEqual([
      ...[
        ...['backfill_items', 'file_holds', 'file_references', 'files', 'legacy_copies', 'migration_items', 'object_sightings'],
        ...['operation_outcome_batches', 'operation_outcomes', 'operator_settings'],
      ],
      ...[
        'provider_file_uploads',
        'provider_states',
        'reconcile_items',
        'rollout_events',
        'rollouts',
        'shadow_breakers',
        'shadow_comparisons',
        'sweep_items',
        'sweep_runs',
      ],
    ]);
  });

  it('shows where files moved to the secret key alone', async () => {
    const read = async (token: string) => (await as(token).from('id_map').select('old_id')).data;
    expect(await read(postgrest.secretKey)).toEqual([{ old_id: 'a' }]);
    for (const token of [postgrest.publishableKey, postgrest.keyOf(ann)]) expect(await read(token)).toEqual([]);
  });

  it('shows everything to the secret key', async () => {
    for (const [table, count] of Object.entries(await counts(postgrest.secretKey))) expect([table, count > 0]).toEqual([table, true]);
  });

  it('shows nothing to somebody who is not signed in', async () => {
    expect(await counts(postgrest.publishableKey)).toEqual(Object.fromEntries(tables.map((table) => [table, 0])));
  });

  it('shows a signed-in user their own references, and nothing else', async () => {
    const nothing = Object.fromEntries(tables.map((table) => [table, 0]));
    expect(await counts(postgrest.keyOf(ann))).toEqual({ ...nothing, file_references: 1 });
    const { data } = await as(postgrest.keyOf(ann)).from('file_references').select('name');
    expect(data).toEqual([{ name: 'hers' }]);
    expect(await counts(postgrest.keyOf(randomUUID()))).toEqual(nothing);
  });

  it('lets neither of them add, change or delete anything', async () => {
    const before = await counts(postgrest.secretKey);
    for (const token of [postgrest.publishableKey, postgrest.keyOf(ann)]) {
      const client = as(token);
      const added = await client.from('file_references').insert({ file_id: randomUUID(), tool: 'kimi', user_id: ann, name: 'forged' });
      expect(added.error?.code).toBe('42501');
      expect((await client.from('file_references').update({ name: 'stolen' }).neq('tool', '').select()).data).toEqual([]);
      expect((await client.from('file_references').delete().neq('tool', '').select()).data).toEqual([]);
    }
    expect(await counts(postgrest.secretKey)).toEqual(before);
    const names = await database.sql`select name from file_references order by name`;
    expect(names.map(({ name }) => name)).toEqual(['hers', "nobody's", 'not hers']);
  });

  it('lets only the secret key call its functions, though the project grants new functions to all', async () => {
    const callable = await database.sql`
      select p.oid::regprocedure::text as name, r.rolname as role
      from pg_proc p, pg_roles r
      where p.pronamespace = 'public'::regnamespace and r.rolname in ('anon', 'authenticated') and has_function_privilege(r.oid, p.oid, 'execute')`;
    expect(callable).toEqual([]);
    const refused = await database.sql`
      select p.proname from pg_proc p
      where p.pronamespace = 'public'::regnamespace and p.prorettype <> 'trigger'::regtype
        and not has_function_privilege('service_role', p.oid, 'execute')`;
    expect(refused).toEqual([]);
    for (const key of [postgrest.publishableKey, postgrest.keyOf(ann)])
      await expect(createSupabaseLedger({ url: postgrest.url, secretKey: key }).check()).rejects.toMatchObject({
        code: 'unauthorized',
        retryable: false,
        message: expect.stringContaining('SUPABASE_SECRET_KEY'),
      });
  });

  it('fixes the search path of every function, so that nobody can slip another table under it', async () => {
    const loose = await database.sql`
      select proname from pg_proc where pronamespace = 'public'::regnamespace and not coalesce(proconfig, '{}') @> array['search_path=""']`;
    expect(loose).toEqual([]);
  });
});
