import { createHash, randomUUID } from 'node:crypto';
import postgres from 'postgres';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { createSupabaseLedger } from '../../src/ledger/supabase-ledger.ts';
import { applyMigrations, createTestDatabase, startPostgrest, type TestDatabase } from '../support/postgrest.ts';
import { claimRequest, reference } from './ledger-samples.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function databaseWith(statements: string): Promise<TestDatabase> {
  const database = await createTestDatabase(inject('postgresUrl'));
  closing.push(() => database.drop());
  await database.sql.unsafe(statements);
  return database;
}

/** A table of files as applications have it: with rules of its own, views upon views, and the same content twice. */
const LEGACY = `
  create table files (
    id uuid primary key,
    storage_path text not null unique,
    original_name varchar(255) not null,
    mime_type text not null,
    size_bytes integer not null check (size_bytes >= 0),
    file_type text not null check (file_type in ('user_upload', 'generated')),
    tenant integer not null,
    created_at timestamp not null default now()
  );
  alter table files enable row level security;
  create policy "Everybody reads generated files" on files for select to anon using (file_type = 'generated');
  create role legacy_reader_${process.pid};
  create view big_files with (security_invoker = true) as select id, storage_path, size_bytes from files where size_bytes > 1000;
  comment on view big_files is 'Shown to finance';
  revoke all on big_files from anon, authenticated;
  grant select on big_files to legacy_reader_${process.pid} with grant option;
  create view big_totals as select count(*) as files, sum(size_bytes) as bytes from big_files;
  create view names as select id, original_name from files;
  insert into files select gen_random_uuid(), 'old/' || n, 'name ' || n % 50, 'text/plain', n, 'user_upload', 1 from generate_series(1, 2000) n;`;
const DROP_ROLE = `drop owned by legacy_reader_${process.pid}; drop role legacy_reader_${process.pid}`;

describe('The migrations', () => {
  it('apply to an empty project', async () => {
    const { sql } = await databaseWith('');
    await applyMigrations(sql);
    const [row] = await sql`select count(*)::int as count from files`;
    expect(row?.count).toBe(0);
  });

  it('apply on top of a populated table of files: every row, id, view, grant and policy is still there', async () => {
    const { sql, url } = await databaseWith(LEGACY);
    closing.push(() => sql.unsafe(DROP_ROLE).then(() => {}));
    const read = () =>
      sql`select id, storage_path, original_name, mime_type, size_bytes::int, file_type, tenant, created_at from files order by id`;
    const views = () => sql`
      select c.relname, c.relacl::text, c.reloptions, obj_description(c.oid) as comment, pg_get_viewdef(c.oid) as definition
      from pg_class c where c.relkind = 'v' and c.relnamespace = 'public'::regnamespace and c.relname <> 'id_map' order by 1`;
    const [before, viewsBefore] = [await read(), await views()];
    await applyMigrations(sql);
    expect(await read()).toEqual(before);
    expect(await views()).toEqual(viewsBefore);
    expect((await sql`select * from big_totals`)[0]).toEqual({ files: '1000', bytes: '1500500' });
    expect(await sql`select policyname from pg_policies where tablename = 'files'`).toEqual([
      { policyname: 'Everybody reads generated files' },
    ]);

    // The old application goes on as before, and ours works beside it.
    await sql`insert into files (id, storage_path, original_name, mime_type, size_bytes, file_type, tenant)
      values (gen_random_uuid(), 'old/new', 'n', 'text/plain', ${3_000_000_000}, 'generated', 2)`;
    const postgrest = await startPostgrest(url);
    closing.push(() => postgrest.stop());
    const ledger = createSupabaseLedger(postgrest);
    const request = claimRequest();
    const claim = await ledger.claim(request);
    expect(await ledger.complete(claim.copyId, request.owner, 'object')).toBe(true);
    await ledger.addReference(before[0]?.id, reference());
    expect(await ledger.file(before[0]?.id)).toMatchObject({ sha256: null, originalName: before[0]?.original_name });
    expect((await ledger.list({ after: null, limit: 10 })).map(({ id }) => id)).toEqual([claim.fileId]);
  });

  it('let old rows with the same content keep their ids and point to the first', async () => {
    const { sql, url } = await databaseWith(LEGACY);
    closing.push(() => sql.unsafe(DROP_ROLE).then(() => {}));
    await applyMigrations(sql);
    const ids = (await sql`select id from files order by size_bytes limit 4`).map(({ id }) => id as string);
    const sha256 = createHash('sha256').update('the same').digest('hex');
    await sql`insert into file_references (file_id, tool, user_id, name) select id, 'kimi', 'ann', 'same' from files where id = any(${ids})`;
    await sql`insert into file_references (file_id, tool, user_id, name) values (${ids[3] as string}, 'kimi', 'bob', 'his')`;

    const recorded = await Promise.all(ids.map((id) => sql`select record_file_hash(${id}, ${sha256}, 8) as answer`));
    const answers = recorded.map(([row]) => row?.answer);
    const [first] = new Set(answers.map(({ file_id }) => file_id as string));
    expect(answers.filter(({ duplicate }) => duplicate)).toHaveLength(3);
    expect(new Set(answers.map(({ file_id }) => file_id))).toEqual(new Set([first]));

    const postgrest = await startPostgrest(url);
    closing.push(() => postgrest.stop());
    const ledger = createSupabaseLedger(postgrest);
    for (const id of ids) {
      const [resolved] = await sql`select resolve_file_id(${id}) as id`;
      expect(resolved?.id).toBe(first);
      expect(await ledger.file(id)).toMatchObject({ id: first, sha256, sizeBytes: 8 });
    }
    const holders = (await ledger.references(ids[3] as string)).map(({ userId, fileId }) => [userId, fileId]);
    expect(holders.sort()).toEqual([
      ['ann', first],
      ['bob', first],
    ]);
    expect((await sql`select count(*)::int as count from files where duplicate_of is not null and sha256 is null`)[0]?.count).toBe(3);
    // Held through an old id, kept under the one that stands for the content.
    expect(await ledger.addReference(ids[3] as string, reference({ name: 'third' }))).toMatchObject({ fileId: first });
    expect((await sql`select resolve_file_id(${randomUUID()}) as id`)[0]?.id).toBeNull();
    await expect(sql`select record_file_hash(${first as string}, ${'0'.repeat(64)}, 8)`).rejects.toMatchObject({
      code: 'PT409',
      detail: 'hash_mismatch',
    });
  });

  it.each([
    ['create table files (id bigint primary key)', /files\.id is of type bigint, and Cutover needs uuid/],
    ['create table files (id uuid primary key, metadata text)', /files\.metadata is of type text, and Cutover needs jsonb/],
    ['create view files as select 1 as id', /is not a plain table/],
    [
      'create table files (id uuid primary key, size_bytes integer); create materialized view heavy as select size_bytes from files',
      /heavy uses public\.files\.size_bytes.*cannot be rebuilt/,
    ],
    ['create table files (id uuid); insert into files select null', /column "id".* contains null values/],
  ])('refuse what they cannot take over, name it, and leave it as it was: %s', async (statements, message) => {
    const { sql } = await databaseWith(statements);
    const columns = () =>
      sql`select column_name, data_type from information_schema.columns where table_name in ('files', 'heavy') order by 1`;
    const before = await columns();
    await expect(applyMigrations(sql)).rejects.toThrow(message);
    if (!statements.includes('materialized')) expect(await columns()).toEqual(before);
    await expect(sql`select from file_references`).rejects.toBeInstanceOf(postgres.PostgresError);
  });
});
