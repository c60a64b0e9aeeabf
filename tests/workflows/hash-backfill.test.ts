import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BackfillItem, BackfillOutcome } from '../../src/domain/backfill-run.ts';
import { createLegacySupabase } from '../../src/facade/legacy-supabase.ts';
import { createFileManager } from '../../src/manager/file-manager.ts';
import { type BackfillInput, backfillWorkflowId } from '../../workflows/contract.ts';
import { contextOf, sampleFile } from '../conformance/file-service-suite.ts';
import { drain } from '../support/bodies.ts';
import { type Running, runCutover } from '../support/cutover.ts';
import { putToSupabase } from '../support/disagreements.ts';
import { oldRow } from '../support/old-rows.ts';
import { dropBucket, freshBucket, supabase, supabaseProvider } from '../support/supabase-provider.ts';
import { LONG } from '../support/timeouts.ts';

/** The real workflow over rows as an application wrote them. The ledger is shared: other tests' rows are seen, too, and left out here. */

let cutover: Running;
const bucket = freshBucket();
const hashOf = (content: string) => createHash('sha256').update(content).digest('hex');

beforeAll(async () => {
  cutover = await runCutover();
  await supabaseProvider({ bucket }).check(new AbortController().signal);
});
afterAll(async () => {
  await cutover?.stop();
  await dropBucket(bucket);
});

async function put(content: string, path = `old/${randomUUID()}.txt`): Promise<string> {
  await putToSupabase(`${bucket}/${path}`, content);
  return await oldRow({ storage_path: path, original_name: 'old.txt', size_bytes: content.length });
}
async function backfill(over: Partial<BackfillInput['order']> = {}, pagesPerRun = 500) {
  const runId = randomUUID();
  const order = { runId, provider: 'supabase', bucket, batchSize: 50, dryRun: false, ...over };
  await cutover.temporal.workflow.start('hash-backfill', {
    workflowId: backfillWorkflowId(runId),
    taskQueue: cutover.config.temporal.taskQueue,
    args: [{ order, pagesPerRun } satisfies BackfillInput],
  });
  const state = await cutover.client.runResult('backfill', runId);
  const items = await cutover.stores.maintenance.hashItems(runId, { after: null, limit: 10_000 });
  const byId = new Map(items.map((item): [string, BackfillItem] => [item.fileId, item]));
  return { runId, state, items, of: (id: string) => byId.get(id) };
}

describe('a backfill of hashes', { timeout: 120_000 }, () => {
  test('says in a dry run what the real one then does: hashes, duplicates, and what cannot be read, and why', async () => {
    const same = `same ${randomUUID()}`;
    const known = `known ${randomUUID()}`;
    const path = cutover.put(`${randomUUID()}.txt`, known);
    const upload = await cutover.client.startUpload({
      ...{ idempotencyKey: randomUUID(), provider: 'supabase', namespace: 'live', verify: 'none', onDuplicate: 'reuse' },
      source: { kind: 'path', path, sizeBytes: known.length, modifiedMs: 0 },
      reference: { name: 'k.txt', tool: 'test', userId: null, purpose: 'storage', context: null, tags: [], keep: 'keep' },
    });
    const { fileId: standing } = await cutover.client.uploadResult(upload);
    const [first, second, third] = (await Promise.all([put(same), put(same), put(same)])).sort();
    const alone = await put(`alone ${randomUUID()}`);
    const at = `slash-${randomUUID()}`;
    await putToSupabase(`${bucket}/${at}`, `with a slash in front ${at}`);
    const slashed = await oldRow({ storage_path: `/${at}`, original_name: 's.txt', size_bytes: 10 });
    const twin = await put(known);
    const gone = await oldRow({ storage_path: `gone/${randomUUID()}`, original_name: 'gone.txt', size_bytes: 3 });
    const nowhere = await oldRow({ storage_path: null, original_name: 'nowhere.txt', size_bytes: 3 });
    const expected: [string | undefined, BackfillOutcome, string | null][] = [
      [first, 'hashed', null],
      [second, 'duplicate', first ?? ''],
      [third, 'duplicate', first ?? ''],
      [alone, 'hashed', null],
      [slashed, 'hashed', null],
      [twin, 'duplicate', standing],
      [gone, 'unreadable', null],
      [nowhere, 'unreadable', null],
    ];

    const dry = await backfill({ dryRun: true, batchSize: 3 }, 2);
    expect(dry.state.runs).toBeGreaterThan(1);
    for (const [id = '', outcome, duplicateOf] of expected) expect(dry.of(id)).toMatchObject({ outcome, duplicateOf });
    for (const [id = ''] of expected) expect(await cutover.stores.ledger.file(id)).toMatchObject({ id, sha256: null });
    expect(dry.of(gone)).toMatchObject({ errorCode: 'not_found', sha256: null });
    expect(dry.of(nowhere)).toMatchObject({ errorCode: 'no_storage_path' });

    const real = await backfill();
    for (const [id = '', outcome, duplicateOf] of expected) expect(real.of(id)).toMatchObject({ outcome, duplicateOf });
    expect(real.state).toMatchObject({ phase: 'done', dryRun: false, exhausted: true });
    expect(real.state.reasons).toMatchObject({ not_found: expect.any(Number), no_storage_path: expect.any(Number) });
    expect(await cutover.stores.ledger.file(alone)).toMatchObject({ id: alone, sha256: real.of(alone)?.sha256 });
    for (const id of [first, second, third])
      expect(await cutover.stores.ledger.file(id ?? '')).toMatchObject({ id: first, sha256: hashOf(same) });
    expect(await cutover.stores.ledger.file(twin)).toMatchObject({ id: standing });

    const again = await backfill();
    for (const id of [first, second, third, alone, twin]) expect(again.of(id ?? '')).toBeUndefined();
    expect(again.of(gone)).toMatchObject({ outcome: 'unreadable' });
  });

  test('stopped in the middle, goes on in a second run where the first one was', async () => {
    const ids: string[] = [];
    for (let at = 0; at < 12; at += 1) ids.push(await put(`${at} ${randomUUID()}`));
    const runId = randomUUID();
    const order = { runId, provider: 'supabase', bucket, batchSize: 1, dryRun: false };
    await cutover.temporal.workflow.start('hash-backfill', {
      workflowId: backfillWorkflowId(runId),
      taskQueue: cutover.config.temporal.taskQueue,
      args: [{ order, pagesPerRun: 500 } satisfies BackfillInput],
    });
    while ((await cutover.client.runStatus('backfill', runId)).outcomes.hashed < 2);
    await cutover.client.signalRun('backfill', runId, 'cancel', 'enough for today');
    const cancelled = await cutover.client.runResult('backfill', runId);
    expect(cancelled).toMatchObject({ phase: 'cancelled', reason: 'enough for today', exhausted: false });
    const second = await backfill();
    const done = (await cutover.stores.maintenance.hashItems(runId, { after: null, limit: 1000 })).filter(
      ({ outcome }) => outcome === 'hashed',
    );
    const hashed = ids.filter((id) => done.some(({ fileId }) => fileId === id));
    for (const id of ids) {
      expect((await cutover.stores.ledger.file(id))?.sha256).toMatch(/^[0-9a-f]{64}$/);
      // Nothing is read twice.
      expect(second.of(id)?.outcome).toBe(hashed.includes(id) ? undefined : 'hashed');
    }
  });

  test('from a provider that has no buckets, or that is not there, ends at once and says so', async () => {
    await expect(backfill({ provider: 'kimi' })).rejects.toMatchObject({ code: 'provider_not_configured' });
  });
});

describe('a file without a hash', () => {
  test('has one when it has been read whole, and none when the reader went away', async () => {
    const content = `read ${randomUUID()}`;
    const id = await put(content);
    const manager = createFileManager({ ...cutover.stores, legacyBucket: bucket, uploads: async () => cutover.client });
    const { signal } = new AbortController();
    const abandoned = await manager.read(id, { signal });
    await abandoned.chunks[Symbol.asyncIterator]().return?.();
    expect(await cutover.stores.ledger.file(id)).toMatchObject({ sha256: null });

    const read = await manager.read(id, { signal });
    expect(await drain(read.chunks)).toEqual({ sizeBytes: content.length, sha256: hashOf(content) });
    expect(await cutover.stores.ledger.file(id)).toMatchObject({ id, sha256: hashOf(content), sizeBytes: content.length });

    const twin = await put(content);
    const target = `${cutover.folder}/${randomUUID()}`;
    await manager.download(twin, target, { signal });
    expect(await cutover.stores.ledger.file(twin)).toMatchObject({ id });
    // Its bytes are where they were, and are checked from now on.
    expect(await manager.download(id, `${target}-2`, { signal })).toMatchObject({ sha256: hashOf(content) });
  });

  test('is said to be nowhere where nobody told in which bucket the application keeps its files', async () => {
    const id = await put(`nowhere ${randomUUID()}`);
    const manager = createFileManager({ ...cutover.stores, legacyBucket: null, uploads: async () => cutover.client });
    await expect(manager.read(id, new AbortController())).rejects.toMatchObject({ code: 'no_copy' });
  });

  test('is still legacy’s to read, list and delete once it has a hash', async () => {
    const legacy = createLegacySupabase({ ...supabase(), bucket, timeouts: LONG });
    const userId = randomUUID();
    const context = { ...contextOf(), userId };
    const { file } = sampleFile(100);
    const { id } = await legacy.upload(file, context);
    await cutover.stores.maintenance.recordHash(id, hashOf(randomUUID()), 100);
    expect(await legacy.info(id, context)).toMatchObject({ id, sizeBytes: 100 });
    expect((await legacy.list({ after: null, limit: 10 }, context)).files.map((listed) => listed.id)).toEqual([id]);
    expect(await legacy.delete(id, context)).toBe(true);
    expect(await legacy.info(id, context)).toBeNull();
    expect(await legacy.delete(id, context)).toBe(false);
    // The content's row stays: copies of ours may stand on it.
    expect(await cutover.stores.ledger.file(id)).toMatchObject({ id, storagePath: null });
  });
});
