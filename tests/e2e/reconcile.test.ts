import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Ran, startCommand } from '../support/command.ts';
import { type Running, runCutover } from '../support/cutover.ts';
import { planter, putToSupabase } from '../support/disagreements.ts';
import { oldRow } from '../support/old-rows.ts';
import { cleanEnv } from '../support/stack.ts';
import { dropBucket } from '../support/supabase-provider.ts';

/** The commands that look after what is stored, as a person runs them. */

let running: Running;
let plant: ReturnType<typeof planter>;
let bucket: string;

const cutover = (...args: string[]): Promise<Ran> => {
  const { temporal, supabase } = running.config;
  const env = {
    TEMPORAL_ADDRESS: temporal.address ?? '',
    TEMPORAL_TASK_QUEUE: temporal.taskQueue,
    SUPABASE_URL: supabase.url ?? '',
    SUPABASE_SECRET_KEY: inject('supabase').secretKey,
    SUPABASE_BUCKET: bucket,
  };
  return startCommand(args, { cwd: running.folder, env: cleanEnv(inject('stateDir'), env) }).ended;
};
const documents = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
const inFolder = (...path: string[]) => readFileSync(join(running.folder, ...path), 'utf8');

beforeAll(async () => {
  running = await runCutover();
  bucket = running.config.supabase.bucket;
  await running.stores.provider('supabase').check(AbortSignal.timeout(10_000));
  plant = planter(running.stores, 'supabase', putToSupabase);
  for (let at = 0; at < 4; at += 1) await plant.whole();
}, 120_000);
afterAll(async () => {
  await running?.stop();
  await dropBucket(bucket);
});

describe('cutover verify', { timeout: 120_000 }, () => {
  it('says with one sign for each file that all is the same, and how it knows', async () => {
    const stored = await cutover('verify');
    expect(stored.code).toBe(0);
    expect(stored.stdout.trimEnd().split('\n')).toHaveLength(4);
    expect(stored.stdout).toMatch(new RegExp(`^= supabase:${bucket}/live/`, 'm'));
    expect(stored.stderr).toContain('4 by the size on record alone');
    const read = await cutover('verify', '--download');
    expect(read).toMatchObject({ code: 0, stderr: expect.stringContaining('How: 4 read back and hashed again.') });
  });

  it('tells each kind of difference with its sign, into a file for each, and finds a changed byte only by reading', async () => {
    const [lost, unknown, size, hash] = [await plant.lost(), await plant.unknown(), await plant.other_size(), await plant.other_hash()];
    const ran = await cutover('verify', '--dest', 'lists', '--match', 'same.txt');
    expect(ran.code).toBe(1);
    const path = ({ objectId }: { objectId: string }) => `supabase:${objectId}`;
    const lines = ran.stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(8);
    for (const [sign, one] of [
      ['+', lost],
      ['-', unknown],
      ['*', size],
      ['=', hash],
    ] as const)
      expect(lines).toContain(`${sign} ${path(one)}`);
    expect(ran.stderr).toContain('8 files: 5 =, 1 *, 1 -, 1 +, 0 !');
    expect(['differ', 'missing-on-src', 'missing-on-dst', 'error'].map((name) => inFolder('lists', name))).toEqual([
      `${path(size)}\n`,
      `${path(unknown)}\n`,
      `${path(lost)}\n`,
      '',
    ]);
    expect(inFolder('same.txt').split('\n')).toHaveLength(6);
    expect(existsSync(join(running.folder, 'lists', 'match'))).toBe(false);

    const read = await cutover('verify', '--download', '--one-way', '--json');
    expect(read.code).toBe(1);
    const told = documents(read.stdout);
    expect(told).toContainEqual(
      expect.objectContaining({ sign: '*', objectId: hash.objectId, by: 'download', detail: expect.stringContaining('SHA-256') }),
    );
    expect(told.at(-1)).toMatchObject({ totals: { signs: { '=': 4, '*': 2, '+': 1, '-': 0 }, differences: 3 } });
  });

  it('takes the same sample again, and a larger one has all of it', async () => {
    const sample = async (share: string) =>
      new Set((await cutover('verify', '--sample', share)).stdout.trimEnd().split('\n').filter(Boolean));
    const [half, again, more] = [await sample('50%'), await sample('0.5'), await sample('80%')];
    expect(again).toEqual(half);
    expect(half.size).toBeLessThan(8);
    for (const line of half) expect(more).toContain(line);
  });

  it.each([
    [['--sample', '0'], 'above 0 and at most 100%'],
    [['--sample', '150%'], 'above 0 and at most 100%'],
    [['--to', 'nowhere'], 'There is no provider "nowhere"'],
    [['--to', 'kimi'], 'set KIMI_API_KEY'],
    [['--differ', 'no/such/folder/list'], 'no/such/folder/list cannot be written'],
    [['--match', 'list', '--differ', './list'], 'is given for two signs'],
  ])('with %j ends with 2 and says what is wrong', async (args, message) => {
    expect(await cutover('verify', ...args)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(message) });
  });
});

describe('cutover reconcile', { timeout: 120_000 }, () => {
  it('reports what disagrees, settles it when asked, and then says that all is well', async () => {
    const reported = await cutover('reconcile', '--grace', '0s', '--report', 'findings.csv');
    expect(reported.code).toBe(1);
    for (const line of [/lost +1 {2}rows whose object is gone/, /unknown +1 /, /other_size +1 /, /stranded +0$/m, /--fix$/m])
      expect(reported.stdout).toMatch(line);
    const rows = parse(inFolder('findings.csv'), { columns: true }) as Record<string, string>[];
    expect(rows.map(({ kind, action }) => `${kind} ${action}`).sort()).toEqual(['lost none', 'other_size none', 'unknown none']);

    const fixed = await cutover('reconcile', '--grace', '0s', '--fix', '--json');
    expect(fixed.code).toBe(0);
    const told = documents(fixed.stdout)[0] as { id: string };
    expect(told).toMatchObject({ phase: 'done', disagreements: 3, settled: 3, counts: { moved: 2, invalidated: 1 } });
    const attached = await cutover('reconcile', '--attach', told.id);
    expect(attached.stdout).toContain(`trash/${told.id}/live/`);

    const well = await cutover('reconcile', '--grace', '0s');
    expect(well).toMatchObject({ code: 0, stdout: expect.stringContaining('Ledger and providers agree.') });
    // What no size tells is still there, and only reading finds it.
    expect((await cutover('verify', '--download')).stdout).toMatch(/^\* /m);
  });

  it('leaves what is younger than its grace alone, which is an hour', async () => {
    await plant.unknown();
    const ran = await cutover('reconcile', '--fix', '--json');
    expect(documents(ran.stdout)[0]).toMatchObject({ disagreements: 0, counts: { moved: 0, unknown: 0 } });
  });

  it('can be left alone, looked at, paused and cancelled', async () => {
    const started = await cutover('reconcile', '--detach', '--json');
    const { id, workflowId } = documents(started.stdout)[0] as { id: string; workflowId: string };
    expect(workflowId).toBe(`reconcile:${id}`);
    await running.client.runResult('reconcile', id);
    expect(documents((await cutover('reconcile', 'status', id, '--json')).stdout)[0]).toMatchObject({ id, phase: 'done' });
    const late = await cutover('reconcile', 'pause', id);
    expect(late).toMatchObject({ code: 2, stderr: expect.stringContaining(`There is no reconcile ${id} that is running`) });
  });

  it.each([
    [['--to', 'nowhere'], 'There is no provider "nowhere"'],
    [['--grace', 'soon'], 'a number and a unit'],
    [['--attach', '20260101-000000-abcd', '--fix'], '--attach follows a reconciliation'],
    [['--fix-unknown'], 'give --fix, too'],
    [['--report', 'findings.txt'], 'must end in .csv, .jsonl or .json'],
    [['status', 'never-was'], 'There is no reconcile never-was'],
  ])('with %j ends with 2 and says what is wrong', async (args, message) => {
    expect(await cutover('reconcile', ...args)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(message) });
  });
});

describe('cutover backfill', { timeout: 120_000 }, () => {
  it('hashes what an application stored without one, after a dry run that changes nothing', async () => {
    const content = `old ${randomUUID()}`;
    const put = async () => {
      const path = `old/${randomUUID()}`;
      await putToSupabase(`${bucket}/${path}`, content);
      return await oldRow({ storage_path: path, original_name: 'old.txt', size_bytes: content.length });
    };
    const [one = '', two = ''] = [await put(), await put()].sort();
    const dry = await cutover('backfill', '--bucket', bucket, '--dry-run', '--report', 'dry.jsonl');
    expect(dry.stdout).toContain('Nothing was recorded: this was a dry run.');
    const lines = documents(inFolder('dry.jsonl'));
    expect(lines).toContainEqual(expect.objectContaining({ fileId: one, outcome: 'hashed' }));
    expect(lines).toContainEqual(expect.objectContaining({ fileId: two, outcome: 'duplicate', duplicateOf: one }));
    expect(await running.stores.ledger.file(one)).toMatchObject({ sha256: null });

    const real = await cutover('backfill', '--bucket', bucket, '--batch-size', '7', '--json');
    expect(documents(real.stdout)[0]).toMatchObject({ phase: 'done', dryRun: false, outcomes: { duplicate: expect.any(Number) } });
    const sha256 = createHash('sha256').update(content).digest('hex');
    for (const id of [one, two]) expect(await running.stores.ledger.file(id)).toMatchObject({ id: one, sha256 });
  });

  it.each([
    [[], '--bucket NAME, or set LEGACY_BUCKET'],
    [['--bucket', 'x', '--batch-size', '0'], 'a whole number from 1 to 1000'],
    [['--bucket', 'x', '--from', 'kimi'], 'set KIMI_API_KEY'],
  ])('with %j ends with 2 and says what is wrong', async (args, message) => {
    expect(await cutover('backfill', ...args)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(message) });
  });
});
