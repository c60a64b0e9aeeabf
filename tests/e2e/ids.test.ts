import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Ran, startCommand } from '../support/command.ts';
import { type Running, runCutover } from '../support/cutover.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgrest.ts';
import { cleanEnv } from '../support/stack.ts';

/** After a migration: what became of old ids, in an application's own database too, and whether legacy can go. */
const FILES = { 'one.txt': 'same', 'it\'s "two".txt': 'same', 'folder/ü 3.txt': `other ${randomUUID()}` };
const migration = `ids-${Date.now()}`;
let running: Running;
let database: TestDatabase;

const cutover = (...args: string[]): Promise<Ran> => {
  const { temporal, supabase } = running.config;
  const env = {
    TEMPORAL_ADDRESS: temporal.address ?? '',
    TEMPORAL_TASK_QUEUE: temporal.taskQueue,
    SUPABASE_URL: supabase.url ?? '',
    SUPABASE_SECRET_KEY: inject('supabase').secretKey,
    SUPABASE_BUCKET: running.config.temporal.taskQueue,
  };
  return startCommand(args, { cwd: running.folder, env: cleanEnv(inject('stateDir'), env) }).ended;
};
const ok = async (...args: string[]): Promise<string> => {
  const ran = await cutover(...args);
  expect(ran).toMatchObject({ code: 0 });
  return ran.stdout;
};

beforeAll(async () => {
  running = await runCutover();
  database = await createTestDatabase(inject('postgresUrl'));
  for (const [path, content] of Object.entries(FILES)) running.put(join('source', path), content);
  await ok('migrate', 'source', '--id', migration, '--verify');
}, 120_000);
afterAll(async () => {
  await running?.stop();
  await database?.drop();
});

describe('cutover ids', { timeout: 60_000 }, () => {
  it('exports what moved, as CSV and as JSON lines', async () => {
    const lines = (await ok('ids', 'export', '--migration', migration, '--format', 'jsonl')).trimEnd().split('\n');
    const mappings = lines.map((line) => JSON.parse(line) as Record<string, string>);
    expect(mappings.map(({ oldId }) => oldId)).toEqual(Object.keys(FILES).sort((a, b) => Buffer.from(a).compare(Buffer.from(b))));
    expect(new Set(mappings.map(({ providerFileId }) => providerFileId)).size).toBe(2);

    await ok('ids', 'export', '--migration', migration, '-o', 'ids.csv');
    const rows = parse(readFileSync(join(running.folder, 'ids.csv')), { columns: true }) as Record<string, string>[];
    expect(rows.map(({ oldId, providerFileId }) => [oldId, providerFileId])).toEqual(
      mappings.map(({ oldId, providerFileId }) => [oldId, providerFileId]),
    );
  });

  it('writes new URLs into a table of the application, and takes them back', async () => {
    const sql = postgres(database.url, { max: 1, onnotice() {} });
    await sql`create table documents (id int primary key, url text)`;
    const urls = ['one.txt', 'it\'s "two".txt', 'folder/%C3%BC%203.txt', 'unknown'].map((name) => `https://old.example/${name}`);
    await sql`insert into documents select n, url from unnest(${[...urls, ...urls]}::text[]) with ordinality u (url, n)`;
    const read = async () => (await sql`select url from documents order by id`).map(({ url }) => url as string);
    const column = ['--format', 'sql', '--table', 'documents', '--column', 'url', '--key', 'id'];
    const target = ['--migration', migration, '--old-prefix', 'https://old.example/', '--new', 'https://new.example/{provider-id}'];

    await ok('ids', 'export', ...column, ...target, '-o', 'ids.sql');
    await sql.unsafe(readFileSync(join(running.folder, 'ids.sql'), 'utf8'));
    const [one, two, three, four] = await read();
    expect([one, three]).toEqual([
      expect.stringMatching(/^https:\/\/new\.example\/\S+$/),
      expect.stringMatching(/^https:\/\/new\.example\/\S+$/),
    ]);
    expect([two, three === one, four]).toEqual([one, false, 'https://old.example/unknown']);

    await sql.unsafe(await ok('ids', 'export', ...column, '--reverse'));
    expect(await read()).toEqual([...urls, ...urls]);
    await sql.end();
  });

  it('says what an old id is now, and ends with 1 for one that nobody moved', async () => {
    const given = ['ids', 'resolve', 'folder/ü 3.txt', 'nobody moved me'];
    const ran = await cutover(...given);
    expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining('No migration has moved nobody moved me') });
    expect(ran.stdout).toMatch(/supabase +\S+ +folder\/ü 3\.txt/);
    const documents = (await cutover(...given, '--json')).stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(documents).toEqual([
      expect.objectContaining({ oldId: 'folder/ü 3.txt', found: true, provider: 'supabase', providerFileId: expect.any(String) }),
      { oldId: 'nobody moved me', found: false },
    ]);
    expect(JSON.parse(await ok('ids', 'resolve', '--json', '--old-prefix', 'https://x/', 'https://x/one.txt')).oldId).toBe(
      'https://x/one.txt',
    );
  });

  it.each([
    [['--format', 'sql', '--table', 't'], '--table, --column and --key'],
    [['--table', 't'], '--table goes with --format sql'],
    [['--format', 'sql', '--table', 'a b', '--column', 'c', '--key', 'k'], 'The table "a b" is no name'],
    [['--format', 'sql', '--table', 't', '--column', 'c', '--key', 'k', '--new', 'https://x/{id}'], '{id} that there is not'],
    [['-o', 'no/such/ids.csv'], 'no/such/ids.csv cannot be written'],
  ])('export %j ends with 2 and says what is wrong', async (args, message) => {
    expect(await cutover('ids', 'export', ...args)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(message) });
  });
});

/** All but whether legacy is quiet: other tests report outcomes to the ledger that all share. */
async function readiness() {
  const ran = await cutover('ready', '--migration', migration, '--json');
  const told = JSON.parse(ran.stdout) as { verdict: string; checks: { name: string; status: string; blocks: boolean; detail: string }[] };
  expect(ran.code).toBe(told.verdict === 'go' ? 0 : 1);
  expect(told.verdict).toBe(told.checks.some(({ blocks }) => blocks) ? 'no-go' : 'go');
  return told.checks.filter(({ name }) => name !== 'quiet');
}

describe('cutover ready', { timeout: 60_000 }, () => {
  it('finds nothing missing of a migration that is done and verified', async () => {
    const checks = await readiness();
    expect(checks.map(({ name, status }) => [name, status])).toEqual(
      ['migrated', 'complete', 'verified', 'resolvable'].map((name) => [name, 'ok']),
    );
    expect(checks[2]?.detail).toBe('3 files by the size and hash on record');
  });

  it('is NO-GO once a copy is gone, which the other commands say too', async () => {
    const name = 'folder/ü 3.txt';
    const mapping = await running.stores.ledger.resolveId(name);
    const [copy] = await running.stores.ledger.copies(mapping?.fileId ?? '');
    await running.stores.ledger.invalidate(copy?.id ?? '', 'gone');

    expect((await readiness()).filter(({ blocks }) => blocks)).toMatchObject([
      { name: 'resolvable', detail: expect.stringContaining(name) },
    ]);
    expect((await cutover('ready', '--migration', migration)).stdout).toMatch(/missing +resolvable .*ü 3\.txt\n[\s\S]*\nNO-GO\n$/);
    const resolved = await cutover('ids', 'resolve', name);
    expect(resolved).toMatchObject({ code: 1, stderr: expect.stringContaining(`cutover ensure ${mapping?.fileId} --to supabase`) });
    const exported = await cutover('ids', 'export', '--migration', migration);
    expect(exported).toMatchObject({ code: 1, stderr: expect.stringContaining('1 old id has none') });
  });
});
