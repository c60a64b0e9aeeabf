import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import type { RehomeState } from '../../src/domain/rehome.ts';
import { configuredLegacy } from '../../src/facade/configured-legacy.ts';
import type { CallContext, FileService } from '../../src/facade/file-service.ts';
import { serveLegacy } from '../../workers/legacy-worker.ts';
import { legacyQueue, type RehomeInput, rehomeWorkflowId } from '../../workflows/contract.ts';
import { createMemoryFileService } from '../support/memory-file-service.ts';
import { startMirrored } from '../support/mirrored-facade.ts';
import { type Running, runOn } from '../support/running.ts';
import { cleanEnv } from '../support/stack.ts';
import { dropBucket, freshBucket, supabaseProvider } from '../support/supabase-provider.ts';

/** What only unified holds goes to legacy storage, whatever happens to those who carry it. */

const servers = () => ({ temporal: inject('temporal'), supabase: inject('supabase'), stateDir: inject('stateDir') });
const SOON = { timeout: 30_000, interval: 100 };
const nobody = createMemoryFileService('nobody');

/** Uploads of one user that unified answered; contents by the ids that they were given. */
async function uploads(cutover: Running, count: number) {
  const app = startMirrored(cutover, nobody);
  Object.assign(app.routing, { stage: 'live', share: 100 });
  const contents = new Map<string, string>();
  for (let done = 0; done < count; done += 10)
    await Promise.all(
      Array.from({ length: Math.min(10, count - done) }, async (_, at) => {
        const text = `${randomUUID()} ${'x'.repeat(1000)}`;
        contents.set((await app.upload(text, `${done + at}.txt`)).id, text);
      }),
    );
  await app.close();
  return { contents, ...app.caller };
}
async function start(cutover: Running, tool: string, more: Partial<RehomeInput> = {}) {
  const { taskQueue } = cutover.config.temporal;
  const settings = { localLimitBytes: 0, minBytesPerSecond: 65_536, activityTimeoutMs: 10_000, leaseSeconds: 60 };
  const input: RehomeInput = {
    ...{
      tool,
      since: null,
      verify: 'stored',
      concurrency: 4,
      pageSize: 10,
      filesPerRun: 20,
      settings,
      legacyQueue: legacyQueue(taskQueue),
    },
    ...more,
  };
  const handle = await cutover.temporal.workflow.start('rehome', { workflowId: rehomeWorkflowId(tool), taskQueue, args: [input] });
  return { ended: () => handle.result() as Promise<RehomeState>, status: () => cutover.client.rehomeStatus(tool), handle };
}
const missing = async (cutover: Running, tool: string) =>
  (await cutover.stores.mirrors.unifiedFiles(tool, { since: null, missingOnly: true, after: null, limit: 1000 })).length;

describe('Re-homing by the stock worker, straight to a bucket with rows', () => {
  let bucket: string;
  let cutover: Running;
  let legacy: FileService;
  const workers: ChildProcess[] = [];
  beforeAll(async () => {
    bucket = freshBucket();
    await supabaseProvider({ bucket }).check(new AbortController().signal);
    cutover = await runOn(servers());
    // Only workers of processes that can be killed reach legacy.
    legacy = configuredLegacy({ ...cutover.config, legacy: { url: null, token: null, bucket } }) as FileService;
  });
  afterAll(async () => {
    for (const worker of workers) await killed(worker);
    await cutover?.stop();
    await dropBucket(bucket);
  });
  async function killed(worker: ChildProcess): Promise<void> {
    if (worker.exitCode !== null || worker.signalCode !== null) return;
    const gone = once(worker, 'exit');
    worker.kill('SIGKILL');
    await gone;
  }
  async function worker(): Promise<ChildProcess> {
    const child = spawn(process.execPath, [fileURLToPath(new URL('../../workers/main.ts', import.meta.url))], {
      env: cleanEnv(inject('stateDir'), {
        TEMPORAL_ADDRESS: inject('temporal').address,
        TEMPORAL_TASK_QUEUE: cutover.config.temporal.taskQueue,
        SUPABASE_URL: inject('supabase').url,
        SUPABASE_SECRET_KEY: inject('supabase').secretKey,
        SUPABASE_BUCKET: cutover.config.supabase.bucket,
        LEGACY_BUCKET: bucket,
        CUTOVER_LOG_LEVEL: 'error',
      }),
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    workers.push(child);
    await once(child, 'message');
    return child;
  }

  test('copies 50 files once each though its worker is killed in the middle, reads them back, and leaves the second run nothing', async () => {
    const { contents, tool, userId } = await uploads(cutover, 50);
    const first = await worker();
    const run = await start(cutover, tool, { verify: 'download' });
    await expect.poll(async () => (await run.status()).totals.copied, { ...SOON, interval: 5 }).toBeGreaterThan(5);
    await killed(first);
    expect((await run.status()).totals.copied).toBeLessThan(50);
    await worker();
    expect(await run.ended()).toMatchObject({ phase: 'done', exhausted: true, totals: { listed: 50, copied: 50, failed: 0 } });

    const context: CallContext = { tool, userId, operationId: 'look', purpose: 'storage', signal: AbortSignal.timeout(30_000) };
    const { files } = await legacy.list({ after: null, limit: 1000 }, context);
    expect(files.map(({ name }) => name).sort()).toEqual(Array.from({ length: 50 }, (_, at) => `${at}.txt`).sort());
    for (const file of await cutover.stores.mirrors.unifiedFiles(tool, { since: null, missingOnly: false, after: null, limit: 100 })) {
      const hash = createHash('sha256');
      for await (const chunk of (await legacy.download(file.legacyId ?? '', context)).chunks) hash.update(chunk);
      expect(hash.digest('hex')).toBe(
        createHash('sha256')
          .update(contents.get(file.id) ?? '')
          .digest('hex'),
      );
    }
    expect(await missing(cutover, tool)).toBe(0);
    expect((await (await start(cutover, tool)).ended()).totals).toMatchObject({ listed: 0, copied: 0 });
    const app = startMirrored(cutover, legacy);
    Object.assign(app.caller, { tool, userId });
    expect((await app.listed()).sort()).toEqual([...contents.keys()].sort());
    await app.close();
  }, 120_000);

  test('what legacy answered in a bucket that workers see is mirrored from there, and nothing is staged', async () => {
    const app = startMirrored(cutover, legacy);
    const file = await app.upload();
    const mirrored = () => cutover.stores.mirrors.mirrorsOf(app.caller.userId, file.id);
    await expect.poll(mirrored, SOON).toHaveLength(1);
    expect(file.servedBy).toBe('legacy');
    const input = (await cutover.temporal.workflow.getHandle(`upload:${await workflowIdOf(app.caller.tool)}`).fetchHistory()).events?.[0];
    const text = Buffer.from(input?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0]?.data ?? []).toString();
    expect(text).toContain(`"id":"${bucket}/uploads/`);
    await app.close();
  });
  async function workflowIdOf(tool: string): Promise<string> {
    for await (const { workflowId } of cutover.temporal.workflow.list({ query: `WorkflowType = 'mirror' AND CutoverTool = '${tool}'` }))
      return workflowId;
    throw new Error('no mirror');
  }
});

describe('Re-homing by an application whose old path is its own code', () => {
  let cutover: Running;
  let served: Awaited<ReturnType<typeof serveLegacy>>;
  const legacy = createMemoryFileService('old');
  beforeAll(async () => {
    cutover = await runOn(servers());
    served = await serveLegacy(cutover.config, legacy);
  });
  afterAll(async () => {
    await served?.close();
    await cutover?.stop();
  });
  const { upload, info } = legacy;
  beforeEach(() => legacy.files.clear());
  afterEach(() => {
    Object.assign(legacy, { upload, info });
  });

  test('is paused, resumed and cancelled by signals, and a second run takes up what is left', async () => {
    const { tool } = await uploads(cutover, 12);
    let slow = true;
    legacy.upload = async (...args) => {
      if (slow) await new Promise((resolve) => setTimeout(resolve, 300));
      return await upload(...args);
    };
    const run = await start(cutover, tool, { concurrency: 1, pageSize: 5 });
    await expect.poll(async () => (await run.status()).totals.copied, SOON).toBeGreaterThan(0);
    await run.handle.signal('pause', { reason: 'deploy' });
    await expect.poll(run.status, SOON).toMatchObject({ phase: 'paused', reason: 'deploy', running: 0 });
    const { totals } = await run.status();
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect((await run.status()).totals.copied).toBe(totals.copied);
    await run.handle.signal('resume');
    await expect.poll(async () => (await run.status()).totals.copied, SOON).toBeGreaterThan(totals.copied);
    await expect(cutover.client.startRehome({ tool, since: null })).rejects.toMatchObject({ code: 'already_started' });
    await run.handle.signal('cancel', { reason: 'enough' });
    const cancelled = await run.ended();
    expect(cancelled).toMatchObject({ phase: 'cancelled', reason: 'enough', running: 0 });
    slow = false;
    const rest = await (await start(cutover, tool)).ended();
    expect(rest).toMatchObject({ phase: 'done', totals: { failed: 0 } });
    expect(await missing(cutover, tool)).toBe(0);
    const names = [...legacy.files.values()].map(({ name }) => name);
    expect(new Set(names).size).toBe(12);
  }, 60_000);

  test('removes a copy that came out damaged and makes it again, and names what it cannot copy', async () => {
    const { tool } = await uploads(cutover, 3);
    let damaged = false;
    legacy.upload = async (file, context) => {
      if (file.name === '1.txt') throw new Error('the old path does not like 1');
      const stored = await upload(file, context);
      if (file.name === '2.txt' && !damaged) {
        damaged = true;
        const held = legacy.files.get(stored.id);
        if (held !== undefined) held.sizeBytes -= 1;
      }
      return stored;
    };
    const state = await (await start(cutover, tool)).ended();
    expect(state).toMatchObject({ phase: 'done', totals: { listed: 3, copied: 2, failed: 1 } });
    expect(state.failures).toMatchObject([{ name: '1.txt', error: expect.stringContaining('does not like 1') }]);
    expect([...legacy.files.values()].map(({ name }) => name).sort()).toEqual(['0.txt', '2.txt']);
    expect(await missing(cutover, tool)).toBe(1);
  }, 60_000);

  test('leaves alone what was deleted between the listing and the copy', async () => {
    const { tool, userId, contents } = await uploads(cutover, 2);
    const [first] = contents.keys();
    const app = startMirrored(cutover, legacy);
    Object.assign(app.caller, { tool, userId });
    Object.assign(app.routing, { stage: 'live', share: 100 });
    legacy.upload = async (...args) => {
      // Of the first one that is copied, the reference goes while it is on its way.
      if (legacy.files.size === 0) await app.facade.delete(first ?? '', app.caller);
      return await upload(...args);
    };
    const { totals } = await (await start(cutover, tool, { concurrency: 1 })).ended();
    expect(totals).toMatchObject({ listed: 2, copied: 1, gone: 1, failed: 0 });
    expect(legacy.files.size).toBe(1);
    await app.close();
  }, 60_000);
});
