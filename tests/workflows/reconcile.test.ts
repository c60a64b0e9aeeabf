import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DISAGREEMENTS, type Disagreement } from '../../src/domain/reconciliation.ts';
import type { ReconcileInput } from '../../workflows/contract.ts';
import { reconcileWorkflowId } from '../../workflows/contract.ts';
import { type Running, runCutover } from '../support/cutover.ts';
import { type Planted, planter, putToS3, putToSupabase, type RawPut } from '../support/disagreements.ts';
import { dropBucket, freshBucket, supabase } from '../support/supabase-provider.ts';
import { BUILD_TIMEOUT_MS, noVersitygw, type S3Server, startVersitygw } from '../support/versitygw.ts';

/** The real workflow over the real ledger, on Supabase Storage and on an independent S3 server. */

const HOUR = 3600;
let s3: S3Server;
let cutover: Running;

beforeAll(async () => {
  s3 = await startVersitygw();
  const env = { S3_ENDPOINT: s3.url, S3_ACCESS_KEY_ID: s3.accessKeyId, S3_SECRET_ACCESS_KEY: s3.secretAccessKey, S3_BUCKET: freshBucket() };
  cutover = await runCutover(env);
}, BUILD_TIMEOUT_MS);
afterAll(async () => {
  if (cutover !== undefined) await dropBucket(cutover.config.supabase.bucket);
  await cutover?.stop();
  await s3?.close();
});

async function reconcile(
  providers: string[],
  { graceSeconds = 0, fix = false, foreign = false, ...over }: Partial<ReconcileInput> & { graceSeconds?: number; foreign?: boolean } = {},
) {
  const runId = randomUUID();
  const input: ReconcileInput = {
    providers,
    fix,
    order: { runId, graceSeconds, hashes: true, foreign },
    pagesPerRun: 500,
    ...over,
  };
  await cutover.temporal.workflow.start('reconcile', {
    workflowId: reconcileWorkflowId(runId),
    taskQueue: cutover.config.temporal.taskQueue,
    args: [input],
  });
  const state = await cutover.client.runResult('reconcile', runId);
  const findings = await cutover.stores.maintenance.findings(runId, { after: null, limit: 1000 });
  return { runId, state, findings };
}

const exists = async (provider: string, id: string) =>
  (await cutover.stores.provider(provider).info(id, AbortSignal.timeout(10_000))) !== null;

describe.skipIf(noVersitygw() !== null).each(['supabase', 's3'])('a reconciliation with %s', { timeout: 120_000 }, (name) => {
  /** Supabase Storage tells no hash: that a byte has changed is found by reading it alone. */
  const kinds = DISAGREEMENTS.filter((kind) => name === 's3' || kind !== 'other_hash');
  let plant: ReturnType<typeof planter>;
  const planted = {} as Record<Disagreement, Planted>;
  const innocent: Planted[] = [];
  let bucket: string;
  let put: RawPut;

  beforeAll(async () => {
    put = name === 's3' ? putToS3(s3) : putToSupabase;
    plant = planter(cutover.stores, name, put);
    await cutover.stores.provider(name).check(AbortSignal.timeout(10_000));
    bucket = plant.idOf('').split('/')[0] ?? '';
    for (const kind of DISAGREEMENTS) planted[kind] = await plant[kind]();
    for (let at = 0; at < 5; at += 1) innocent.push(await plant.whole());
    innocent.push(await plant.deleted(), await plant.underWay());
    for (const key of ['photos/1.jpg', 'live/ab/no-hash', `live/00/${'f'.repeat(64)}`, 'alive/x'])
      await put(`${bucket}/${key}`, 'not ours');
  });

  test('leaves alone what was written or changed within the grace', async () => {
    const { state, findings } = await reconcile([name], { graceSeconds: HOUR });
    expect(findings).toEqual([]);
    // All that was planted with an object, but for the one whose fault cannot be seen.
    expect(state).toMatchObject({ phase: 'done', counts: { foreign: 4, lost: 0, young: expect.any(Number) } });
    expect(state.counts.young).toBeGreaterThanOrEqual(kinds.length - 1);
  });

  test('finds each kind of disagreement once and no more, and tells a bucket from one whose name begins like its own', async () => {
    const neighbour = `${bucket}-2`;
    await cutover.stores.provider(name).buckets?.create(neighbour, {}, AbortSignal.timeout(10_000));
    await put(plant.idOf(`theirs ${randomUUID()}`).replace(bucket, neighbour), 'theirs');

    const { state, findings } = await reconcile([name], { foreign: true });
    const ours = findings.filter(({ kind }) => kind !== 'foreign');
    expect(ours.map(({ kind, objectId }) => `${kind} ${objectId}`).sort()).toEqual(
      kinds.map((kind) => `${kind} ${planted[kind].objectId}`).sort(),
    );
    for (const kind of kinds) expect(state.counts[kind]).toBe(1);
    expect(state.counts).toMatchObject({ agrees: name === 's3' ? 5 : 6, awaitingPurge: 1, young: 1, foreign: 4, moved: 0, invalidated: 0 });
    expect(state.counts.hashed).toBeGreaterThan(name === 's3' ? 5 : -1);
    expect(findings.filter(({ kind }) => kind === 'foreign').map(({ objectId }) => objectId)).toHaveLength(4);
    const size = findings.find(({ kind }) => kind === 'other_size');
    expect(size).toMatchObject({ expectedBytes: 44, foundBytes: 53, fileId: planted.other_size.fileId, action: 'none' });
    if (name === 'supabase') await dropBucket(neighbour);
  });

  test('settles what it found without losing a byte, and then finds nothing', async () => {
    const { runId, state, findings } = await reconcile([name], { fix: true });
    expect(state.counts).toMatchObject({ invalidated: 1, moved: kinds.length - 1, left: 0, failed: 0 });
    for (const { kind, objectId, action, detail } of findings) {
      if (kind === 'lost') {
        expect(action).toBe('invalidated');
        continue;
      }
      expect(action).toBe('moved');
      expect(detail).toBe(`${bucket}/trash/${runId}/${objectId.slice(bucket.length + 1)}`);
      expect(await exists(name, objectId)).toBe(false);
      expect(await exists(name, detail ?? '')).toBe(true);
    }
    for (const { objectId } of innocent) expect(await exists(name, objectId)).toBe(true);
    expect(await exists(name, `${bucket}/photos/1.jpg`)).toBe(true);

    const again = await reconcile([name], { fix: true });
    expect(again.findings).toEqual([]);
    expect(again.state.counts).toMatchObject({ aside: kinds.length - 1, foreign: 4, moved: 0, invalidated: 0 });
  });

  test('lets a content that was settled be uploaded again, and never hands out what is not there', async () => {
    for (const kind of ['lost', 'unknown', 'other_size'] as const) {
      const { content, objectId } = planted[kind];
      const path = cutover.put(`${randomUUID()}.txt`, content);
      const handle = await cutover.client.startUpload({
        ...{ idempotencyKey: randomUUID(), provider: name, namespace: 'live', verify: 'download', onDuplicate: 'reuse' },
        source: { kind: 'path', path, sizeBytes: content.length, modifiedMs: 0 },
        reference: { name: 'again.txt', tool: 'test', userId: null, purpose: 'storage', context: null, tags: [], keep: 'keep' },
      });
      expect(await cutover.client.uploadResult(handle)).toMatchObject({
        outcome: 'uploaded',
        providerFileId: objectId,
        verified: 'download',
      });
    }
    expect((await reconcile([name])).findings).toEqual([]);
  });

  test('takes what is being sent for stranded only when its lease has run out', async () => {
    const { objectId, lose } = await plant.underWay();
    expect((await reconcile([name])).findings).toEqual([]);
    await lose();
    expect((await reconcile([name], { fix: true })).findings).toMatchObject([{ kind: 'stranded', objectId, action: 'moved' }]);
  });

  test('does not touch what is on hold', async () => {
    const { fileId, objectId } = await plant.other_size();
    const holding = await fetch(`${supabase().url}/rest/v1/rpc/set_legal_hold`, {
      method: 'POST',
      headers: { apikey: supabase().secretKey, authorization: `Bearer ${supabase().secretKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ p_file_id: fileId, p_hold: true }),
    });
    expect(holding.ok).toBe(true);
    const { state, findings } = await reconcile([name], { fix: true });
    // Marking it changed the row: only what was judged after that counts.
    expect(findings).toMatchObject([{ kind: 'other_size', objectId, action: 'left', detail: 'the file is on hold' }]);
    expect(state.counts).toMatchObject({ left: 1, moved: 0 });
    expect(await exists(name, objectId)).toBe(true);
  });
});

describe.skipIf(noVersitygw() !== null)('a reconciliation', { timeout: 120_000 }, () => {
  test("takes a bucket full of what no row knows for another ledger's, and moves it only when it is told to", async () => {
    const plant = planter(cutover.stores, 's3', putToS3(s3));
    const lost = await plant.lost();
    const theirs: Planted[] = [];
    for (let at = 0; at < 20; at += 1) theirs.push(await plant.unknown());
    const { state, findings } = await reconcile(['supabase', 's3'], { fix: true });
    expect(state).toMatchObject({ doubtful: [1] });
    for (const { objectId } of theirs) {
      expect(findings.find((item) => item.objectId === objectId)).toMatchObject({
        action: 'left',
        detail: expect.stringMatching(/^too many objects are unknown/),
      });
      expect(await exists('s3', objectId)).toBe(true);
    }
    expect(findings.find(({ objectId }) => objectId === lost.objectId)).toMatchObject({ action: 'invalidated' });
    const told = await reconcile(['s3'], { fix: true, fixUnknown: true });
    expect(told.state.counts.moved).toBeGreaterThanOrEqual(theirs.length);
    for (const { objectId } of theirs) expect(await exists('s3', objectId)).toBe(false);
  });

  test('goes through several providers, page by page over several runs of its workflow, and counts each finding once', async () => {
    const [one, two] = ['supabase', 's3'].map((name) => planter(cutover.stores, name, name === 's3' ? putToS3(s3) : putToSupabase));
    const expected = [await one?.unknown(), await two?.lost(), await two?.unknown()];
    const before = await reconcile(['supabase', 's3']);
    const { state, findings } = await reconcile(['supabase', 's3'], { pagesPerRun: 1, fix: true });
    expect(state.runs).toBeGreaterThan(3);
    const ids = findings.map(({ objectId }) => objectId);
    for (const planted of expected) expect(ids.filter((id) => id === planted?.objectId)).toHaveLength(1);
    expect(findings.length).toBe(before.findings.length);
  });

  test('is paused, resumed and cancelled by signals, and answers how far it is', async () => {
    const runId = randomUUID();
    const order = { runId, graceSeconds: 0, hashes: false, foreign: false };
    await cutover.temporal.workflow.start('reconcile', {
      workflowId: reconcileWorkflowId(runId),
      taskQueue: cutover.config.temporal.taskQueue,
      startDelay: '1 second',
      args: [{ providers: ['supabase'], order, fix: false, pagesPerRun: 500 } satisfies ReconcileInput],
    });
    await cutover.client.signalRun('reconcile', runId, 'pause', 'lunch');
    for (let tries = 0; ; tries += 1) {
      const state = await cutover.client.runStatus('reconcile', runId).catch(() => null);
      if (state?.since != null) {
        expect(state).toMatchObject({ phase: 'paused', reason: 'lunch', pages: 0 });
        break;
      }
      expect(tries).toBeLessThan(100);
      await sleep(100);
    }
    await cutover.client.signalRun('reconcile', runId, 'cancel', 'enough');
    expect(await cutover.client.runResult('reconcile', runId)).toMatchObject({ phase: 'cancelled', reason: 'enough', pages: 0 });
  });

  test('of a provider that is not configured ends at once and says what to set', async () => {
    await expect(reconcile(['kimi'])).rejects.toMatchObject({
      code: 'provider_not_configured',
      message: expect.stringContaining('KIMI_API_KEY'),
    });
  });
});
