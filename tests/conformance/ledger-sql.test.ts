import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { createSupabaseLedger } from '../../src/ledger/supabase-ledger.ts';
import { applyMigrations, createTestDatabase, type Postgrest, startPostgrest, type TestDatabase } from '../support/postgrest.ts';
import { claimRequest, reference, stored as storedAt } from './ledger-samples.ts';

/** What the database promises beyond the port: for the sweep, the rollouts and the judge. */
let database: TestDatabase;
let postgrest: Postgrest;
let ledger: Ledger;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresUrl'));
  await applyMigrations(database.sql);
  postgrest = await startPostgrest(database.url);
  ledger = createSupabaseLedger(postgrest);
});
afterAll(async () => {
  await postgrest?.stop();
  await database?.drop();
});

async function stored(keep?: 'keep' | 'expire', namespace: 'live' | 'shadow' = 'live') {
  const request = claimRequest({ namespace });
  const { fileId, copyId } = await ledger.claim(request);
  await ledger.complete(copyId, request.owner, randomUUID());
  const held = keep === undefined ? null : await ledger.addReference(fileId, reference({ keep }));
  return { request, fileId, copyId, held };
}
const age = (fileId: string, days: number) =>
  database.sql`update files set accessed_at = now() - make_interval(days => ${days}) where id = ${fileId}`;

describe('For the sweep, the database', () => {
  it('finds what nobody keeps and nobody has read for the days of retention, and nothing else', async () => {
    const old = [await stored('expire'), await stored()];
    const kept = await stored('keep');
    const fresh = await stored('expire');
    const held = await stored('expire');
    const sending = await stored('expire');
    const deleted = await stored('expire');
    for (const { fileId } of [...old, kept, held, sending, deleted]) await age(fileId, 31);
    await age(fresh.fileId, 29);
    await database.sql`select set_legal_hold(${held.fileId}, true)`;
    await ledger.claim({ ...sending.request, provider: 'kimi' });
    await ledger.softDelete(deleted.fileId, 'expired');

    const found: string[] = [];
    for (let after: string | null = null; ; ) {
      const [row] = await database.sql`select find_expired_files(30, ${after}, 1) as page`;
      if (row?.page.length === 0) break;
      after = row?.page[0].file_id as string;
      found.push(after);
    }
    expect(found).toEqual(old.map(({ fileId }) => fileId).sort());
    expect(await ledger.softDelete(held.fileId, 'expired')).toBe(0);
    await database.sql`select set_legal_hold(${held.fileId}, false)`;
    expect(await ledger.softDelete(held.fileId, 'expired')).toBe(1);
  });

  it('finds failed uploads and leases that ran out, and deletes those copies without touching the file', async () => {
    const { request, fileId } = await stored('keep');
    const failed = await ledger.claim({ ...request, provider: 'kimi' });
    await ledger.fail(failed.copyId, request.owner, 'timeout');
    const lost = await ledger.claim({ ...request, provider: 'glm', leaseSeconds: 0.05 });
    const sending = await ledger.claim({ ...request, provider: 's3', leaseSeconds: 60 });
    await new Promise((resolve) => setTimeout(resolve, 100));

    const [row] = await database.sql`select find_orphaned_files(0) as page`;
    const found = row?.page.filter((copy: { file_id: string }) => copy.file_id === fileId);
    expect(found.map((copy: { copy_id: string }) => copy.copy_id).sort()).toEqual([failed.copyId, lost.copyId].sort());
    expect((await database.sql`select find_orphaned_files(7) as page`)[0]?.page).toEqual([]);
    const deleteCopy = async (copyId: string) => (await database.sql`select soft_delete_copy(${copyId}, 'orphaned') as done`)[0]?.done;
    expect(await deleteCopy(failed.copyId)).toBe(true);
    expect(await deleteCopy(lost.copyId)).toBe(true);
    expect(await deleteCopy(lost.copyId)).toBe(false);
    expect(await deleteCopy(sending.copyId)).toBe(false);
    expect(await ledger.beginPurge(lost.copyId, 'sweep', 60)).toMatchObject({ status: 'failed', lastErrorCode: 'lease_expired' });
    expect(await ledger.claim(request)).toMatchObject({ outcome: 'completed' });
  });

  it('lets a shadow copy go though the content is kept, but not the live one', async () => {
    const { fileId, copyId, request } = await stored('keep');
    const shadow = await ledger.claim({ ...request, namespace: 'shadow' });
    await ledger.complete(shadow.copyId, request.owner, 'shadow object');
    const deleteCopy = async (id: string) => (await database.sql`select soft_delete_copy(${id}, 'compared') as done`)[0]?.done;
    expect(await deleteCopy(copyId)).toBe(false);
    expect(await deleteCopy(shadow.copyId)).toBe(true);
    expect(await ledger.beginPurge(shadow.copyId, 'sweep', 60)).not.toBeNull();
    expect((await ledger.file(fileId))?.id).toBe(fileId);
  });

  it('hands out no copy that the provider has dropped by itself', async () => {
    const request = claimRequest();
    const { copyId } = await ledger.claim(request);
    await database.sql`select complete_upload(${copyId}, ${request.owner}, 'object', now() - interval '1 second')`;
    expect(await ledger.claim(request)).toMatchObject({ outcome: 'claimed', copyId, lastErrorCode: 'expired_at_provider' });
  });
});

describe('Before legacy is switched off, the database', () => {
  it('tells when each arm of each tool was last used, and counts the minute that has begun', async () => {
    const rows = [
      ['kimi', 'legacy', '2026-11-20T10:00:00Z', 7],
      ['kimi', 'unified', '2026-11-20T10:00:00Z', 5],
      ['kimi', 'unified', '2026-11-20T11:30:00Z', 6],
      ['supabase', 'legacy', '2026-11-20T09:59:00Z', 1],
      ['supabase', 'unified', '2026-11-20T12:00:00Z', 0],
    ].map(([tool, arm, minute, count]) => ({ tool, arm, minute, count }));
    await database.sql`select record_operation_outcomes(${randomUUID()}, ${database.sql.json(rows as never)})`;
    const told = await ledger.traffic('2026-11-20T10:00:59.999Z');
    expect(told.map(({ lastAt, ...rest }) => ({ ...rest, lastAt: new Date(lastAt).toISOString() }))).toEqual([
      { tool: 'kimi', arm: 'legacy', operations: 7, lastAt: '2026-11-20T10:00:00.000Z' },
      { tool: 'kimi', arm: 'unified', operations: 11, lastAt: '2026-11-20T11:30:00.000Z' },
    ]);
  });

  it('still takes what a worker of the version before says: an upload without an expiry, an item without a source', async () => {
    const request = claimRequest();
    const { copyId, fileId } = await ledger.claim(request);
    const [row] = await database.sql`
      select record_upload(p_copy_id => ${copyId}, p_owner => ${request.owner}, p_provider_file_id => 'object', p_file_id => ${fileId},
        p_tool => 'kimi', p_user_id => null, p_name => 'name', p_purpose => 'storage', p_context => null, p_tags => '{}', p_keep => 'keep') as done`;
    expect(row?.done).toBe(true);
    const item = { path: 'old worker', size_bytes: 3, status: 'uploaded', file_id: fileId, provider_file_id: 'object' };
    await database.sql`select record_migration_items('before', ${database.sql.json([item])})`;
    expect(await ledger.resolveId('old worker')).toMatchObject({ fileId, provider: 'supabase', providerFileId: 'object' });
  });

  it('keeps what a process said of a provider for a day', async () => {
    const said = {
      provider: 'kimi',
      account: randomUUID(),
      circuit: 'closed',
      lastErrorCode: null,
      lastError: null,
      lastErrorAt: null,
    } as const;
    await ledger.reportProviderState({ ...said, reporter: 'ended:1' });
    await database.sql.begin(async (sql) => {
      await sql`alter table provider_states disable trigger provider_states_updated_at`;
      await sql`update provider_states set updated_at = now() - interval '25 hours' where account = ${said.account}`;
      await sql`alter table provider_states enable trigger provider_states_updated_at`;
    });
    expect((await ledger.providerStates()).filter(({ account }) => account === said.account)).toEqual([]);
    await ledger.reportProviderState({ ...said, reporter: 'new:1' });
    expect(await database.sql`select reporter from provider_states where account = ${said.account}`).toEqual([{ reporter: 'new:1' }]);
  });

  it('follows an old id through a row that turned out to be a duplicate', async () => {
    const { fileId, objectId, request } = await storedAt(ledger);
    const [row] = await database.sql`insert into files (original_name) values ('before us') returning id`;
    await ledger.recordMigrationItems('dup', [
      {
        ...{ path: 'dup', sizeBytes: 1, status: 'deduplicated', sha256: null, fileId: row?.id, providerFileId: objectId },
        ...{ verified: 'none', errorCode: null, error: null, sourceProvider: null, sourceId: null },
      },
    ]);
    await database.sql`select record_file_hash(${row?.id}, ${request.content.sha256}, ${request.content.sizeBytes})`;
    expect(await ledger.resolveId('dup')).toMatchObject({ fileId, providerFileId: objectId, sha256: request.content.sha256 });
  });

  it('does not write the ids of uploads anew each time it looks for what has expired', async () => {
    const { fileId } = await stored('expire');
    const uploadId = randomUUID();
    await ledger.addReference(fileId, reference({ keep: 'expire', uploadId }));
    await database.sql`update files set accessed_at = now() - interval '31 days', created_at = now() - interval '31 days' where id in (${fileId}, ${uploadId})`;
    // By whom each row was last locked.
    const lockers = async () =>
      new Map(
        (await database.sql`select id, xmax::text as by from files where id in (${fileId}, ${uploadId})`).map((row) => [row.id, row.by]),
      );
    const before = await lockers();
    const runId = randomUUID();
    const rules = { retentionDays: 30, orphanDays: 7, graceDays: 7, quotaMinAgeDays: 1, includeReview: false };
    await database.sql`select begin_sweep(${runId}, 'test', false, ${database.sql.json(rules)})`;
    await database.sql`select sweep_expired(${runId}, null, 10000)`;
    const after = await lockers();
    expect([fileId, uploadId].map((id) => after.get(id) !== before.get(id))).toEqual([true, false]);
    const [marked] = await database.sql`select deletion_reason from provider_file_uploads where file_id = ${fileId}`;
    expect(marked).toEqual({ deletion_reason: 'expired' });
  });

  it('keeps the own reference of a file that turns out to hold the content of an upload', async () => {
    const { fileId, request } = await storedAt(ledger);
    const [old] = await database.sql`insert into files (original_name) values ('before us') returning id`;
    const holder = { tool: 'kimi', userId: 'ann', name: 'report.pdf' };
    const upload = await ledger.addReference(fileId, reference({ ...holder, uploadId: randomUUID() }));
    const own = await ledger.addReference(old?.id, reference(holder));
    await database.sql`select record_file_hash(${old?.id}, ${request.content.sha256}, ${request.content.sizeBytes})`;
    await ledger.deleteReference(upload.id);
    expect((await ledger.references(fileId)).map(({ id }) => id)).toContain(own.id);
  });

  it('finds the end of a page and an old id by an index, however many moved', async () => {
    await database.sql`
      insert into migration_items (migration_id, path, size_bytes, status, file_id)
      select 'large', 'folder/' || n, 1, 'uploaded', gen_random_uuid() from generate_series(1, 20000) n`;
    await database.sql`analyze migration_items`;
    const cursor = JSON.stringify(['large', 'folder/5', '']);
    const plan = async (condition: string, order: string) =>
      (await database.sql.unsafe(`explain select * from id_map m where ${condition} order by ${order} limit 100`))
        .map((line) => line['QUERY PLAN'])
        .join('\n');
    expect(
      await plan(`m.migration_id = 'large' and (left(m.old_id, 500), md5(m.path)) > ('folder/5', '')`, 'left(m.old_id, 500), md5(m.path)'),
    ).toMatch(/Index Cond: .*ROW/);
    expect(await plan(`md5(m.old_id) = md5('folder/7')`, 'm.recorded_at')).toMatch(/migration_items_old_id_idx/);
    expect((await ledger.idMap({ migrationId: 'large', after: cursor, limit: 2 })).map(({ oldId }) => oldId)).toEqual([
      'folder/5',
      'folder/50',
    ]);
  });
});

describe('Whoever writes, the database', () => {
  it('holds at most one live copy of a content in one place', async () => {
    const { copyId } = await stored();
    const second = database.sql`
      insert into provider_file_uploads (file_id, provider, account, purpose, upload_status, provider_file_id)
      select file_id, provider, account, purpose, 'completed', 'x' from provider_file_uploads where id = ${copyId}`;
    await expect(second).rejects.toMatchObject({ code: '23505', constraint_name: 'provider_file_uploads_live_key' });
  });

  it('lets no completed copy fall back without a reason', async () => {
    const { copyId } = await stored();
    const silent = database.sql`update provider_file_uploads set upload_status = 'failed' where id = ${copyId}`;
    await expect(silent).rejects.toMatchObject({ code: 'PT409', detail: 'completed_copy' });
  });

  it.each([
    ["update files set sha256 = 'ABC' where duplicate_of is null", 'files_cutover_sha256_check'],
    ['update files set size_bytes = -1', 'files_cutover_size_check'],
    ["update provider_file_uploads set upload_status = 'done', last_error_code = 'x'", 'provider_file_uploads_upload_status_check'],
    ["update provider_file_uploads set namespace = 'other'", 'provider_file_uploads_namespace_check'],
    ["update file_references set keep = 'maybe'", 'file_references_keep_check'],
    ["insert into rollouts (tool, share) values ('a', 100.1)", 'rollouts_share_check'],
    ["insert into rollouts (tool, stage) values ('a', 'half')", 'rollouts_stage_check'],
  ])('refuses %s', async (statement, constraint) => {
    await stored('expire');
    await expect(database.sql.unsafe(statement)).rejects.toMatchObject({ code: '23514', constraint_name: constraint });
  });

  it('adds to the audit of rollouts, and never changes it', async () => {
    const { sql } = database;
    await sql`insert into rollout_events (tool, decision, decided_by, reason) values ('kimi', 'start', 'ann', 'go')`;
    for (const statement of ["update rollout_events set reason = 'x'", 'delete from rollout_events', 'truncate rollout_events'])
      await expect(sql.unsafe(statement)).rejects.toMatchObject({ code: 'PT409', detail: 'append_only' });
    const [privileges] = await sql`select has_table_privilege('service_role', 'rollout_events', 'update, delete, truncate') as any`;
    expect(privileges?.any).toBe(false);
  });
});

describe('Outcomes of operations', () => {
  const minute = '2026-11-21T10:00:42Z';
  const record = async (id: string, rows: object[]) =>
    (await database.sql`select record_operation_outcomes(${id}, ${database.sql.json(rows as never)}) as added`)[0]?.added as boolean;
  const read = (tool: string) => database.sql`select * from operation_outcomes where tool = ${tool} order by arm, step, minute`;

  it('are added up, key by key, also from 20 batches at once in any order', async () => {
    const tool = randomUUID();
    const row = (arm: string) => ({
      tool,
      arm,
      step: 1,
      minute,
      count: 10,
      failures: { rate_limited: 1, timeout: 2 },
      latency: { 50: 7, '+Inf': 3 },
    });
    const batches = Array.from({ length: 20 }, (_, index) => (index % 2 ? [row('a'), row('b'), row('a')] : [row('b'), row('a')]));
    await Promise.all(batches.map((rows) => record(randomUUID(), rows)));
    const [a, b] = await read(tool);
    expect(a).toMatchObject({ count: '300', failures: { rate_limited: 30, timeout: 60 }, latency: { 50: 210, '+Inf': 90 } });
    expect(b).toMatchObject({ arm: 'b', count: '200' });
    expect(a?.minute.toISOString()).toBe('2026-11-21T10:00:00.000Z');
  });

  it('are counted once when a batch is sent twice, and not at all when part of it is wrong', async () => {
    const tool = randomUUID();
    const id = randomUUID();
    const rows = [{ tool, arm: 'a', minute, count: 5 }];
    expect([await record(id, rows), await record(id, rows)]).toEqual([true, false]);
    await expect(record(randomUUID(), [...rows, { tool, arm: 'b', minute, count: -1 }])).rejects.toMatchObject({ code: '23514' });
    expect(await read(tool)).toMatchObject([{ count: '5', failures: {}, latency: {} }]);
  });
});
