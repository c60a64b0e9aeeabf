import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '@supabase/supabase-js';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

/** What a user of the Data API may expect of the embedded one, as of PostgREST. */

const { url, secretKey, publishableKey } = inject('supabase');
const client = createClient(url, secretKey);
const sql = postgres(inject('postgresUrl'), { max: 2, onnotice: () => {} });
const table = `lite_${randomUUID().slice(0, 8)}`;

beforeAll(async () => {
  await sql.unsafe(`
    create table ${table} (id int primary key check (id > 0));
    alter table ${table} enable row level security;
    grant all on ${table} to service_role;
    create function ${table}_raise(code text) returns int language plpgsql as $$
      begin raise exception 'because' using errcode = code, detail = 'the detail', hint = 'the hint'; end $$;
    notify pgrst, 'reload schema';`);
  for (let tries = 0; (await client.from(table).select('id')).error !== null; tries++) {
    if (tries === 100) throw new Error('the new table was not seen within five seconds of the NOTIFY');
    await delay(50);
  }
});
afterAll(async () => {
  await sql.unsafe(`drop table ${table}; drop function ${table}_raise; notify pgrst, 'reload schema';`);
  await sql.end();
});

test('a violated check is the caller’s mistake and keeps its code', async () => {
  const { error, status } = await client.from(table).insert({ id: -1 });
  expect(status).toBe(400);
  expect(error).toMatchObject({ code: '23514', message: expect.stringContaining('violates check constraint') });
});

test('what a function raises arrives with code, message, detail and hint', async () => {
  const { error, status } = await client.rpc(`${table}_raise`, { code: 'P0001' });
  expect(status).toBe(400);
  expect(error).toMatchObject({ code: 'P0001', message: 'because', details: 'the detail', hint: 'the hint' });
  expect((await client.rpc(`${table}_raise`, { code: '53300' })).status).toBe(503);
  expect((await client.rpc(`${table}_raise`, { code: 'PT409' })).status).toBe(409);
});

test('a violated primary key is a conflict', async () => {
  expect((await client.from(table).insert({ id: 1 })).status).toBe(201);
  expect((await client.from(table).insert({ id: 1 })).status).toBe(409);
});

test('row level security holds for the publishable key', async () => {
  const { data } = await createClient(url, publishableKey).from(table).select('id');
  expect(data ?? []).toEqual([]);
});

test('all migrations are recorded where `supabase db push` looks', async () => {
  const files = readdirSync(new URL('../../supabase/migrations/', import.meta.url)).filter((name) => name.endsWith('.sql'));
  const rows = await sql`select version || '_' || name || '.sql' as file from supabase_migrations.schema_migrations order by version`;
  expect(rows.map(({ file }) => file)).toEqual(files.sort());
});
