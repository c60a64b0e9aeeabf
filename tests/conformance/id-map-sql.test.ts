import { randomUUID } from 'node:crypto';
import postgres, { type Sql } from 'postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { type IdChange, type IdColumn, reverseScript, updateScript } from '../../src/domain/id-map-sql.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgrest.ts';

/** The scripts of `ids export --format sql`, run on a real PostgreSQL as psql would. */
let database: TestDatabase;
let sql: Sql;
let notices: string[] = [];

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresUrl'));
  // One connection: the scripts have their own begin and commit.
  sql = postgres(database.url, { max: 1, onnotice: ({ message }) => notices.push(message ?? '') });
});
afterAll(async () => {
  await sql?.end();
  await database?.drop();
});

const where: IdColumn = { table: '"my app"."Docs"', column: 'url', key: 'id' };
const change = (old: string, to: string, rest: Partial<IdChange> = {}): IdChange => ({
  ...{ old, new: to, rank: 0, at: '2026-11-24T00:00:00Z' },
  ...rest,
});
async function script(changes: readonly IdChange[], options: { label?: string; prefix?: string } = {}, column = where): Promise<string> {
  async function* all() {
    yield* changes;
  }
  const pieces: string[] = [];
  for await (const piece of updateScript(column, all(), { label: 'first', prefix: '', ...options })) pieces.push(piece);
  return pieces.join('');
}
/** Its numbers: rows changed and, with a prefix, rows left. */
async function run(text: string): Promise<Record<string, string>> {
  const results = (await sql.unsafe(text)) as unknown as Record<string, string>[][];
  return Object.assign({}, ...results.flat());
}
const contents = () => sql`select id::text, url, other, xmin::text from "my app"."Docs" order by id`;
const values = async () => (await sql`select url from "my app"."Docs" order by id`).map(({ url }) => url as string | null);
const fill = (urls: readonly (string | null)[]) =>
  sql`insert into "my app"."Docs" (id, url, other) select n, url, 'o' || n from unnest(${urls as string[]}::text[]) with ordinality as u (url, n)`;
const withoutVersions = (rows: Awaited<ReturnType<typeof contents>>) => rows.map(({ xmin: _, ...row }) => row);

beforeEach(async () => {
  notices = [];
  await sql.unsafe(`
    drop schema if exists "my app" cascade;
    create schema "my app";
    create table "my app"."Docs" (id bigint primary key, url varchar(500), other text)`);
});

describe('A script that writes new ids over old ones', () => {
  it('and its reverse give the same table back, byte for byte: 10,000 rows with duplicates, quotes and Unicode', async () => {
    const odd = [
      "it's",
      'say "hi"',
      'back\\slash',
      '$$ $cutover$',
      'ümläut',
      '😀',
      'line\nbreak',
      '%s {}',
      "'; drop table x; --",
      ' blank ',
      ':name',
    ];
    const old = (n: number) => `${odd[n % odd.length]}/${n}`;
    // Three old ids become one new id, as they do where contents are the same; every tenth row is none of ours.
    const changes = Array.from({ length: 9000 }, (_, n) => change(old(n), `new/${Math.floor(n / 3)}`));
    await fill(Array.from({ length: 10_000 }, (_, n) => (n % 10 === 9 ? (n % 20 === 9 ? null : `foreign ${n}`) : old(n % 4500))));
    const before = await contents();
    const text = await script(changes);

    expect(await run(text)).toEqual({ rows_changed: '9000' });
    const after = await contents();
    expect(after.filter(({ url }) => url?.startsWith('new/'))).toHaveLength(9000);
    expect(after.find(({ id }) => id === '8')?.url).toBe('new/2');
    expect(await run(text)).toEqual({ rows_changed: '0' });
    expect(await contents()).toEqual(after);

    await sql.unsafe(reverseScript(where));
    expect(withoutVersions(await contents())).toEqual(withoutVersions(before));
    expect(notices).toContain('cutover: 9000 rows put back; 0 that were changed or deleted since are left alone');
    expect(await sql`select tablename from pg_tables where schemaname = 'my app'`).toEqual([{ tablename: 'Docs' }]);
    await sql.unsafe(reverseScript(where));
    expect(notices.at(-1)).toMatch(/nothing to put back/);
    expect(withoutVersions(await contents())).toEqual(withoutVersions(before));
  });

  it('leaves a row alone that the application changed in between, and one that it deleted', async () => {
    await fill(['a', 'a', 'b', 'b']);
    await run(await script([change('a', 'n1'), change('b', 'n2')]));
    await sql`update "my app"."Docs" set url = 'of the application' where id = 2`;
    await sql`delete from "my app"."Docs" where id = 3`;
    await sql.unsafe(reverseScript(where));
    expect(await values()).toEqual(['a', 'of the application', 'b']);
    expect(notices).toContain('cutover: 2 rows put back; 2 that were changed or deleted since are left alone');
    expect(await sql`select key::text, old, new from "my app"."cutover_undo_Docs_url" order by key`).toEqual([
      { key: '2', old: 'a', new: 'n1' },
      { key: '3', old: 'b', new: 'n2' },
    ]);
  });

  it('goes on after another one, and one reverse leads back to the beginning', async () => {
    await fill(['a', 'b']);
    await run(await script([change('a', 'n1'), change('b', 'n2')]));
    await run(await script([change('n1', 'm1')], { label: 'second' }));
    await sql`update "my app"."Docs" set url = 'c' where id = 2`;
    await run(await script([change('c', 'm2')], { label: 'third' }));
    expect(await values()).toEqual(['m1', 'm2']);
    await sql.unsafe(reverseScript(where));
    expect(await values()).toEqual(['a', 'c']);
  });

  it('does not take what it has written itself for an old id', async () => {
    await fill(['a', 'b']);
    const text = await script([change('a', 'b'), change('b', 'c')]);
    expect(await run(text)).toEqual({ rows_changed: '2' });
    expect(await run(text)).toEqual({ rows_changed: '0' });
    expect(await values()).toEqual(['b', 'c']);
  });

  it('takes the likelier of two readings of one value, then the newer', async () => {
    await fill(['u', 'v']);
    await run(
      await script([
        change('u', 'escaped', { rank: 1, at: '2026-11-25T00:00:00Z' }),
        change('u', 'older'),
        change('u', 'newer', { at: '2026-11-24T01:00:00Z' }),
        change('v', 'v'),
      ]),
    );
    expect(await values()).toEqual(['newer', 'v']);
  });

  it('tells how many values have the prefix and are in no map', async () => {
    await fill(['https://x/a', 'https://x/b', 'https://x/%', 'https://y/a', null]);
    const text = await script([change('https://x/a', 'https://x/n')], { prefix: 'https://x/' });
    expect(await run(text)).toEqual({ rows_changed: '1', rows_left_that_no_map_knows: '2' });
    expect(await run(text)).toEqual({ rows_changed: '0', rows_left_that_no_map_knows: '2' });
  });

  it('changes nothing where the key does not tell the rows apart, or the table is not there', async () => {
    await fill(['a', 'b']);
    await sql`update "my app"."Docs" set other = 'same'`;
    const before = await contents();
    await expect(run(await script([change('a', 'n')], {}, { ...where, key: 'other' }))).rejects.toThrow(
      /other does not tell the rows .* apart/,
    );
    await sql.unsafe('rollback');
    await expect(run(await script([change('a', 'n')], {}, { ...where, table: 'nowhere' }))).rejects.toThrow(/nowhere/);
    await sql.unsafe('rollback');
    expect(await contents()).toEqual(before);
    expect(await sql`select tablename from pg_tables where tablename like 'cutover_undo%'`).toEqual([]);
  });

  it('changes all or nothing: a new id that is too long for the column takes the others back', async () => {
    await fill(['a', 'b']);
    await expect(run(await script([change('a', 'n'), change('b', 'x'.repeat(501))]))).rejects.toMatchObject({ code: '22001' });
    await sql.unsafe('rollback');
    expect(await values()).toEqual(['a', 'b']);
  });

  it('works with keys of another type, in the schema that the search path says, and shows the undo table to nobody else', async () => {
    const name = `t_${randomUUID().replaceAll('-', '')}_${'long'.repeat(6)}`;
    const own = { table: name, column: 'path', key: 'key part' } as const;
    await sql.unsafe(`create table ${name} ("key part" uuid unique, path text)`);
    await sql.unsafe(`insert into ${name} select gen_random_uuid(), 'a' from generate_series(1, 3)`);
    const quoted = { ...own, key: '"key part"' };
    expect(await run(await script([change('a', 'n')], {}, quoted))).toEqual({ rows_changed: '3' });
    const [undo] =
      await sql`select relname, relrowsecurity from pg_class where relname like ${`${`cutover_undo_${name}`.slice(0, 40)}%`} and relkind = 'r'`;
    expect(undo?.relrowsecurity).toBe(true);
    await sql.unsafe(reverseScript(quoted));
    expect((await sql.unsafe(`select distinct path from ${name}`)).map(({ path }) => path)).toEqual(['a']);
  });

  it('leaves what is written while it runs to the application', async () => {
    await fill(['a', 'a']);
    const other = postgres(database.url, { max: 1 });
    let changed: Promise<Record<string, string>> | undefined;
    await other.begin(async (transaction) => {
      await transaction`update "my app"."Docs" set url = 'theirs' where id = 1`;
      changed = run(await script([change('a', 'n')]));
      // Until the script waits for the row.
      while ((await transaction`select from pg_locks where not granted`).length === 0);
    });
    await other.end();
    expect(await changed).toEqual({ rows_changed: '1' });
    expect(await values()).toEqual(['theirs', 'n']);
    expect(await sql`select key::text from "my app"."cutover_undo_Docs_url"`).toEqual([{ key: '2' }]);
  });
});
