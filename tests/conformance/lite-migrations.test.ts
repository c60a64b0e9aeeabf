import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import postgres from 'postgres';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { applyMigrations } from '../../src/stack/lite/migrations.ts';
import { scratchFolder } from '../support/stack.ts';

const admin = () => postgres(inject('postgresUrl'), { max: 1, onnotice: () => {} });
let name: string;
let sql: postgres.Sql;
let folder: ReturnType<typeof scratchFolder>;

beforeEach(async () => {
  name = `migrations_${randomUUID().slice(0, 8)}`;
  const server = admin();
  await server.unsafe(`create database ${name}`);
  await server.end();
  sql = connect();
  folder = scratchFolder('migrations');
});
afterEach(async () => {
  await sql.end();
  const server = admin();
  await server.unsafe(`drop database ${name} with (force)`);
  await server.end();
  folder.remove();
});

const connect = () =>
  postgres(Object.assign(new URL(inject('postgresUrl')), { pathname: `/${name}` }).href, { max: 1, onnotice: () => {} });
const write = (file: string, text: string) => writeFileSync(join(folder.path, file), text);
const applied = async () =>
  (await sql`select version, name, statements from supabase_migrations.schema_migrations order by version`).map((row) => ({ ...row }));

test('migrations are applied once, in order, and recorded with their text', async () => {
  write('20260102_second.sql', 'insert into t values (2);');
  write('20260101_first.sql', 'create table t (i int); insert into t values (1);');
  write('README.md', 'not a migration');
  expect(await applyMigrations(sql, folder.path)).toEqual(['20260101_first.sql', '20260102_second.sql']);
  expect(await applyMigrations(sql, folder.path)).toEqual([]);
  expect((await sql`select i from t order by i`).map(({ i }) => i)).toEqual([1, 2]);
  expect(await applied()).toEqual([
    { version: '20260101', name: 'first', statements: ['create table t (i int); insert into t values (1);'] },
    { version: '20260102', name: 'second', statements: ['insert into t values (2);'] },
  ]);
});

test('a refused migration is named with its line and what the database said, and nothing of it is kept', async () => {
  write('20260101_good.sql', 'create table t (i int);');
  write('20260102_bad.sql', 'create table u (i int);\n\ninsert into t\nvalues (1, nonsense);\n');
  await expect(applyMigrations(sql, folder.path)).rejects.toThrow(
    'The migration 20260102_bad.sql, line 4 was refused by the database: column "nonsense" does not exist (42703)',
  );
  expect(await applied()).toMatchObject([{ version: '20260101' }]);
  expect((await sql`select to_regclass('u') as u`)[0]?.u).toBeNull();
});

test('two starts at once apply each migration once', async () => {
  write('20260101_slow.sql', 'create table t (i int); select pg_sleep(0.2); insert into t values (1);');
  const other = connect();
  const results = await Promise.all([applyMigrations(sql, folder.path), applyMigrations(other, folder.path)]);
  await other.end();
  expect(results.flat()).toEqual(['20260101_slow.sql']);
  expect(await sql`select i from t`).toHaveLength(1);
});
