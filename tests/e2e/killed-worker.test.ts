import type { ChildProcess } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { DISAGREEMENTS } from '../../src/domain/reconciliation.ts';
import { type Running, runCutover } from '../support/cutover.ts';
import { planter, putToSupabase } from '../support/disagreements.ts';
import { oldRow } from '../support/old-rows.ts';
import { cleanEnv } from '../support/stack.ts';
import { dropBucket } from '../support/supabase-provider.ts';
import { killed, startWorkerProcess } from '../support/worker-process.ts';

/** kill -9 of the one worker in the middle of what looks after the stored files, and then a new one. */

let running: Running;
let bucket: string;
let worker: ChildProcess;

beforeAll(async () => {
  // What it is asked to do is done by processes that can be killed.
  running = await runCutover({}, { workers: 0 });
  bucket = running.config.supabase.bucket;
  await running.stores.provider('supabase').check(AbortSignal.timeout(10_000));
  worker = await another();
}, 120_000);
afterAll(async () => {
  if (worker !== undefined) await killed(worker);
  await running?.stop();
  await dropBucket(bucket);
});

async function another(): Promise<ChildProcess> {
  const { temporal, supabase } = running.config;
  const servers = { TEMPORAL_ADDRESS: temporal.address ?? '', SUPABASE_URL: supabase.url ?? '', SUPABASE_BUCKET: bucket };
  const env = { ...servers, TEMPORAL_TASK_QUEUE: temporal.taskQueue, SUPABASE_SECRET_KEY: inject('supabase').secretKey };
  return await startWorkerProcess(running.folder, cleanEnv(inject('stateDir'), env));
}

/** Kills the worker as soon as so much is done, and starts another one. @returns how much was done by then */
async function killAt(least: number, done: () => Promise<number>): Promise<number> {
  await expect.poll(done, { interval: 5 }).toBeGreaterThanOrEqual(least);
  await killed(worker);
  const then = await done();
  worker = await another();
  return then;
}

async function reconcile(fix: boolean) {
  const runId = randomUUID();
  const order = { runId, graceSeconds: 0, hashes: true, foreign: false };
  await running.client.startReconcile({ providers: ['supabase'], order, fix, fixUnknown: true });
  return runId;
}

test('a reconciliation finds each disagreement once, moves each object once, and loses none', { timeout: 120_000 }, async () => {
  const { maintenance, provider } = running.stores;
  const plant = planter(running.stores, 'supabase', putToSupabase);
  const EACH = 12;
  const each = <T>(put: () => Promise<T>) => Promise.all(Array.from({ length: EACH }, put));
  const whole = await each(() => plant.whole());
  // Supabase tells no hash.
  const kinds = DISAGREEMENTS.filter((kind) => kind !== 'other_hash');
  for (const kind of kinds) await each(() => plant[kind]());
  const all = kinds.length * EACH;

  const runId = await reconcile(true);
  const settled = async () =>
    (await maintenance.countFindings(runId)).filter(({ action }) => action !== 'none').reduce((sum, { count }) => sum + count, 0);
  expect(await killAt(1, settled)).toBeLessThan(all);
  const { phase, counts } = await running.client.runResult('reconcile', runId);
  expect({ phase, counts }).toMatchObject({
    phase: 'done',
    counts: {
      ...Object.fromEntries(kinds.map((kind) => [kind, EACH])),
      agrees: EACH,
      invalidated: EACH,
      moved: all - EACH,
      left: 0,
      failed: 0,
    },
  });

  const findings = await maintenance.findings(runId, { after: null, limit: 1000 });
  expect(new Set(findings.map(({ objectId }) => objectId)).size).toBe(findings.length);
  const signal = AbortSignal.timeout(30_000);
  for (const { kind, objectId, detail, foundBytes } of findings) {
    expect(await provider('supabase').info(objectId, signal)).toBeNull();
    if (kind !== 'lost') expect(await provider('supabase').info(detail ?? '', signal)).toMatchObject({ sizeBytes: foundBytes });
  }
  for (const { objectId, content } of whole)
    expect(await provider('supabase').info(objectId, signal)).toMatchObject({ sizeBytes: content.length });
  const again = await running.client.runResult('reconcile', await reconcile(true));
  expect(again.counts).toMatchObject({ objects: EACH, agrees: EACH, aside: all - EACH, moved: 0, invalidated: 0, left: 0 });
});

test('a backfill counts every file once, and what it records is right', { timeout: 120_000 }, async () => {
  const { ledger, maintenance } = running.stores;
  const hashOf = (content: string) => createHash('sha256').update(content).digest('hex');
  const tag = randomUUID();
  const contents = Array.from({ length: 120 }, (_, at) => (at % 10 === 0 ? null : `${tag} ${at % 100}`));
  const ids = await Promise.all(
    contents.map(async (content, at) => {
      const path = `old/${tag}/${at}`;
      if (content !== null) await putToSupabase(`${bucket}/${path}`, content);
      return await oldRow({ storage_path: path, original_name: 'old.txt', size_bytes: 1 });
    }),
  );

  const runId = randomUUID();
  await running.client.startBackfill({ runId, provider: 'supabase', bucket, batchSize: 1000, dryRun: false });
  const recorded = async () => {
    const counted = await maintenance.countHashItems(runId, { after: null, until: null });
    return counted.reduce((sum, { files }) => sum + files, 0);
  };
  expect(await killAt(1, recorded)).toBeLessThan(contents.length);
  const { phase, outcomes, reasons } = await running.client.runResult('backfill', runId);
  expect(phase).toBe('done');
  // Other tests' rows are in the same ledger: they are counted, too.
  const items = await maintenance.hashItems(runId, { after: null, limit: 10_000 });
  const counted = (outcome: string) => items.filter((item) => item.outcome === outcome).length;
  expect(outcomes).toEqual(Object.fromEntries(Object.keys(outcomes).map((outcome) => [outcome, counted(outcome)])));
  expect(Object.values(reasons).reduce((sum, count) => sum + count, 0)).toBe(outcomes.unreadable);

  const became = new Map(items.map((item) => [item.fileId, item.outcome]));
  const ours = ids.map((id) => became.get(id));
  expect(['hashed', 'duplicate', 'unreadable'].map((outcome) => ours.filter((one) => one === outcome).length)).toEqual([90, 18, 12]);
  for (const [at, id] of ids.entries())
    expect((await ledger.file(id))?.sha256 ?? null).toBe(contents[at] == null ? null : hashOf(contents[at] as string));
});
