import { randomBytes, randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { connectTemporal } from '../../src/client/connect.ts';
import { createClient } from '../../src/client/cutover-client.ts';
import { type Config, loadConfig } from '../../src/config/index.ts';
import type { UploadOrder } from '../../src/domain/upload-order.ts';
import { connectFacade } from '../../src/facade/connect.ts';
import { createFileManager } from '../../src/manager/file-manager.ts';
import { connectStores } from '../../src/manager/stores.ts';
import { createMetrics } from '../../src/observability/metrics.ts';
import { type RolloutInput, rolloutWorkflowId } from '../../workflows/contract.ts';
import { startCommand } from '../support/command.ts';
import { type Exposition, readExposition } from '../support/exposition.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { freePort } from '../support/free-port.ts';
import { type KimiServer, startKimiServer } from '../support/kimi-server.ts';
import { createMemoryFileService } from '../support/memory-file-service.ts';
import { hasPromtool, promtoolSays } from '../support/promtool.ts';
import { type Scratch, scratchWith } from '../support/scratch.ts';

/** A worker as people run it, and what a Prometheus sees of it: each counter moves by what was done, and by nothing else. */

const taskQueue = `metrics-${randomUUID().slice(0, 8)}`;
const signal = new AbortController().signal;
let folder: Scratch;
let kimi: KimiServer;
let proxy: FaultProxy;
let env: Record<string, string | undefined>;
let config: Config;
let worker: ReturnType<typeof startCommand>;
let temporal: Client;
let client: ReturnType<typeof createClient>;
let base: string;

beforeAll(async () => {
  folder = scratchWith('metrics');
  kimi = await startKimiServer();
  proxy = await startFaultProxy(kimi.url);
  env = folder.env({
    TEMPORAL_ADDRESS: inject('temporal').address,
    TEMPORAL_TASK_QUEUE: taskQueue,
    SUPABASE_URL: inject('supabase').url,
    SUPABASE_SECRET_KEY: inject('supabase').secretKey,
    SUPABASE_BUCKET: taskQueue,
    KIMI_API_KEY: kimi.apiKey,
    KIMI_BASE_URL: `${proxy.url}/v1`,
    KIMI_UPLOADS_PER_SECOND: '50',
    ALLOWED_EXTENSIONS: 'txt,pdf',
    MAX_RETRY_ATTEMPTS: '0',
    PROVIDER_BREAKER_FAILURES: '3',
    PROVIDER_BREAKER_SECONDS: '3600',
    CUTOVER_METRICS_PORT: '0',
    ENABLE_UNIFIED_MANAGER: 'true',
    ENABLE_SMART_HANDLER_MIGRATION: 'true',
    SMART_HANDLER_ROLLOUT_PERCENTAGE: '100',
  });
  config = loadConfig({ env, cwd: folder.path });
  worker = startCommand(['worker'], { cwd: folder.path, env });
  base = await vi.waitFor(
    () => {
      const [, url] = /"metrics":"(http:[^"]*)\/metrics"/.exec(worker.said.stderr) ?? [];
      if (url === undefined) throw new Error(`not ready: ${worker.said.stderr}`);
      return url;
    },
    { timeout: 60_000, interval: 50 },
  );
  temporal = await connectTemporal(config.temporal);
  client = createClient(temporal, config);
}, 90_000);
afterAll(async () => {
  worker?.child.kill('SIGTERM');
  await worker?.ended;
  await temporal?.connection.close();
  await proxy?.close();
  await kimi?.close();
  folder?.remove();
});

const text = async () => await (await fetch(`${base}/metrics`)).text();
const shown = async (): Promise<Exposition> => readExposition(await text());
/** What an action adds to the sums of some series, as soon as all that it started has ended. */
async function added(action: () => Promise<unknown>): Promise<(name: string, labels?: Record<string, string>) => number> {
  const before = await shown();
  await action();
  const after = await shown();
  return (name, labels) => after.sum(name, labels) - before.sum(name, labels);
}

async function upload(name: string, content: Uint8Array, more: Partial<UploadOrder> = {}, userId: string | null = 'ann') {
  const path = folder.put(name, content);
  const handle = await client.startUpload({
    idempotencyKey: randomUUID(),
    source: { kind: 'path', path, sizeBytes: content.length, modifiedMs: 0 },
    ...{ provider: 'supabase', namespace: 'live', verify: 'none', onDuplicate: 'reuse' },
    reference: { name, tool: 'test', userId, purpose: 'storage', context: null, tags: [], keep: 'keep' },
    ...more,
  });
  return await client.uploadResult(handle);
}

describe('The endpoint of a worker', { timeout: 60_000 }, () => {
  const content = randomBytes(5000);
  let fileId: string;

  test('counts an upload: one transfer, its bytes, its time', async () => {
    const more = await added(async () => {
      fileId = (await upload('one.txt', content)).fileId;
    });
    expect(more('file_upload_attempts_total', { provider: 'supabase' })).toBe(1);
    expect(more('file_upload_bytes_total', { provider: 'supabase', status: 'success' })).toBe(5000);
    expect(more('file_upload_duration_seconds_count', { provider: 'supabase', status: 'success' })).toBe(1);
    expect(more('file_active_uploads')).toBe(0);
    expect(more('file_deduplication_hits_total')).toBe(0);
  });

  test('counts a content that was there already, and no transfer', async () => {
    const more = await added(() => upload('again.txt', content, {}, 'bob'));
    expect([more('file_deduplication_hits_total', { provider: 'supabase' }), more('file_upload_attempts_total')]).toEqual([1, 0]);
  });

  test('counts a transfer that is under way, and then not any more', async () => {
    proxy.inject(({ method }) => method === 'POST', { kind: 'trickle-answer', everyMs: 5 });
    const sending = upload('slow.txt', randomBytes(3000), { provider: 'kimi' });
    await expect
      .poll(async () => (await shown()).sum('file_active_uploads', { provider: 'kimi' }), { timeout: 20_000, interval: 20 })
      .toBe(1);
    await sending;
    expect((await shown()).sum('file_active_uploads', { provider: 'kimi' })).toBe(0);
  });

  test('counts a file that is refused for what it is, by the code of the refusal', async () => {
    const more = await added(() => expect(upload('program.exe', content)).rejects.toMatchObject({ code: 'extension_not_allowed' }));
    expect(more('file_validation_failures_total', { provider: 'supabase', code: 'extension_not_allowed' })).toBe(1);
    expect([more('file_validation_failures_total'), more('file_upload_attempts_total')]).toEqual([1, 0]);
  });

  test('shows how full an account is', async () => {
    // One file of 1,000 is there.
    expect((await shown()).sum('cutover_provider_quota_ratio', { provider: 'kimi', kind: 'files' })).toBe(0.001);
  });

  test('shows how far apart sweeps should be', async () => {
    expect((await shown()).sum('cutover_sweep_interval_seconds')).toBe(86_400);
  });

  test('counts the transfers that failed, and the one time that the circuit opened', async () => {
    proxy.inject(() => true, ...Array.from({ length: 50 }, () => ({ kind: 'answer', status: 503 }) as const));
    const more = await added(() =>
      expect(upload('down.txt', randomBytes(10), { provider: 'kimi', attempts: 3 })).rejects.toMatchObject({ provider: 'kimi' }),
    );
    expect(more('file_circuit_breaker_trips_total', { provider: 'kimi' })).toBe(1);
    expect(more('file_upload_attempts_total', { provider: 'kimi' })).toBe(3);
    expect(more('file_upload_duration_seconds_count', { provider: 'kimi', status: 'failure' })).toBe(3);
    expect(more('file_circuit_breaker_trips_total', { provider: 'supabase' })).toBe(0);
  });

  test('shows the share that is in force, the evidence of its step, and counts each decision', async () => {
    const tool = `tool-${randomUUID().slice(0, 8)}`;
    const rules = { threshold: 0.05, minSamples: 100, alpha: 0.01, beta: 0.05, steps: 1, stickyUsers: true, mismatchTolerance: 0 };
    const input: RolloutInput = {
      plan: {
        ...{ tool, steps: [25], bakeMs: 60_000, evaluationMs: 60_000, gates: [] },
        rules: { ...rules, onMismatch: 'hold', tests: { wald: true, liveControl: false, pairs: false } },
      },
      ...{ startedBy: 'ann', reason: null, firstStep: 0, looksPerRun: 1000 },
    };
    const { rollouts } = connectStores(config);
    const handle = await temporal.workflow.start('rollout', { workflowId: rolloutWorkflowId(tool), taskQueue, args: [input] });
    await expect.poll(async () => (await shown()).sum('cutover_rollout_share', { tool }), { timeout: 20_000 }).toBe(0.25);
    const { epoch } = (await rollouts.rollout(tool)) ?? { epoch: 0 };
    const minute = '2026-01-01T00:00:00.000Z';
    await rollouts.recordOutcomes(randomUUID(), [
      { tool, arm: 'unified', step: epoch, minute, count: 40, failures: { timeout: 4 }, latency: { 10: 40 } },
    ]);
    const evidence = async (of: string) => (await shown()).sum('cutover_rollout_evidence', { tool, test: of });
    await expect.poll(() => evidence('threshold'), { timeout: 20_000 }).toBe(0.1);
    expect(await evidence('samples')).toBe(40);
    expect(await evidence('wald')).toBeGreaterThan(0);

    await handle.signal('rollback', { reason: 'seen enough' });
    await handle.result();
    const { sum } = await shown();
    expect(sum('cutover_rollout_decisions_total', { tool, decision: 'started' })).toBe(1);
    expect(sum('cutover_rollout_decisions_total', { tool, decision: 'rolled_back' })).toBe(1);
    expect(sum('cutover_rollout_duration_seconds_count', { tool, decision: 'rolled_back' })).toBe(1);
    await expect.poll(async () => (await shown()).sum('cutover_rollout_share', { tool }), { timeout: 20_000 }).toBe(0);
  });

  test('has the metrics of the SDK beside ours, and all of it is well formed', async () => {
    const { faults, sum } = await shown();
    expect(faults).toEqual([]);
    expect(sum('temporal_num_pollers')).toBeGreaterThan(0);
    expect(sum('temporal_workflow_completed_total')).toBeGreaterThan(0);
  });

  test.skipIf(!hasPromtool)('has nothing that promtool would object to (skipped where there is no promtool)', async () => {
    expect(promtoolSays(await text())).toBe('');
  });

  test('says that it is well, and nothing else about itself', async () => {
    const healthy = await fetch(`${base}/healthz`);
    expect([healthy.status, await healthy.json()]).toEqual([200, { status: 'ok', worker: 'ok', temporal: 'ok' }]);
    expect((await fetch(`${base}/env`)).status).toBe(404);
    expect((await fetch(`${base}/metrics`, { method: 'POST' })).status).toBe(405);
  });

  test('counts a deletion where it is asked for, by provider', async () => {
    const metrics = createMetrics({ userLabel: 'bucket' });
    const stores = connectStores(config, { observer: metrics });
    const manager = createFileManager({
      ...stores,
      uploads: async () => client,
      onDeleted: (provider) => metrics.deleted(provider, 'requested'),
    });
    const deletions = async () =>
      readExposition(await metrics.text()).sum('file_deletions_total', { provider: 'supabase', reason: 'requested' });
    const [first, ...others] = await manager.references(fileId);
    await manager.delete(fileId, { references: [first?.id ?? ''], reason: 'a word of ann', signal });
    // Somebody else still holds it.
    expect([others.length, await deletions()]).toEqual([1, 0]);
    await manager.delete(fileId, { reason: 'a word of ann', purge: true, signal });
    expect(await deletions()).toBe(1);
  });

  test('is matched by an application that counts what its facade does', async () => {
    const metrics = createMetrics({ userLabel: 'bucket' });
    const { facade, close } = await connectFacade(config, {
      legacy: createMemoryFileService('legacy'),
      stagingFolder: folder.path,
      observer: metrics,
    });
    const tool = 'smart_handler';
    const caller = { tool, userId: 'ann' };
    await facade.upload({ path: folder.put('unified.txt', randomBytes(20)) }, caller);
    await expect(facade.upload({ path: folder.put('other.exe', randomBytes(20)) }, caller)).rejects.toMatchObject({
      name: 'ValidationError',
    });
    await facade.upload({ bytes: randomBytes(20), name: 'legacy.txt' }, { ...caller, tool: 'kimi' });
    const { sum } = readExposition(await metrics.text());
    expect(sum('cutover_operations_total', { tool, arm: 'unified', outcome: 'success' })).toBe(1);
    expect(sum('cutover_operations_total', { tool, arm: 'unified', outcome: 'refused' })).toBe(1);
    expect(sum('cutover_operations_total', { tool: 'kimi', arm: 'legacy', outcome: 'success' })).toBe(1);
    expect(sum('cutover_operations_total')).toBe(3);
    await close();
  });
});

describe('Shadow comparisons', { timeout: 60_000 }, () => {
  test('are counted by the application that samples and by the worker that compares', async () => {
    const tool = 'counted';
    const switches = { CUTOVER_TOOLS: tool, ENABLE_COUNTED_MIGRATION: 'true', ENABLE_SHADOW_MODE: 'true' };
    const rules = { SHADOW_MODE_SAMPLE_RATE: '1', SHADOW_MODE_INCLUDE_TIMING: 'false' };
    const metrics = createMetrics({ userLabel: 'bucket' });
    const honest = createMemoryFileService('legacy');
    const { facade, close } = await connectFacade(loadConfig({ env: { ...env, ...switches, ...rules }, cwd: folder.path }), {
      legacy: {
        ...honest,
        async upload(file, context) {
          const stored = await honest.upload(file, context);
          return file.name === 'renamed.txt' ? { ...stored, name: 'other.txt' } : stored;
        },
      },
      observer: metrics,
    });
    const before = await shown();
    for (const name of ['same.txt', 'renamed.txt']) await facade.upload({ bytes: randomBytes(20), name }, { tool, userId: 'ann' });
    const samples = async () => readExposition(await metrics.text());
    await expect
      .poll(async () => (await samples()).sum('cutover_shadow_samples_total', { tool, outcome: 'started' }), { timeout: 20_000 })
      .toBe(2);
    await expect.poll(async () => (await shown()).sum('cutover_shadow_comparisons_total', { tool }), { timeout: 20_000 }).toBe(2);
    const { sum } = await shown();
    expect(before.sum('cutover_shadow_comparisons_total', { tool })).toBe(0);
    expect(sum('cutover_shadow_comparisons_total', { tool, result: 'match' })).toBe(1);
    expect(sum('cutover_shadow_comparisons_total', { tool, result: 'mismatch' })).toBe(1);
    expect([sum('cutover_shadow_mismatches_total', { tool, field: 'name' }), sum('cutover_shadow_mismatches_total', { tool })]).toEqual([
      1, 1,
    ]);
    expect((await samples()).sum('cutover_shadow_samples_total')).toBe(2);
    await close();
  });
});

describe('A worker whose port is taken', { timeout: 60_000 }, () => {
  test('ends with a message that names the variable, and the exit code for wrong settings', async () => {
    const port = new URL(base).port;
    const { code, stderr } = await startCommand(['worker'], { cwd: folder.path, env: { ...env, CUTOVER_METRICS_PORT: port } }).ended;
    expect(code).toBe(2);
    expect(stderr).toContain(`Port ${port} on 127.0.0.1 (CUTOVER_METRICS_PORT) is taken`);
  });

  test('and one whose port is not a port is refused before anything starts', async () => {
    const { code, stderr } = await startCommand(['worker'], { cwd: folder.path, env: { ...env, CUTOVER_METRICS_PORT: '70000' } }).ended;
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('CUTOVER_METRICS_PORT is "70000" and must be a whole number from 0 to 65535'),
    ]);
  });

  test('takes the port that it was given where that is free', async () => {
    const port = await freePort();
    const own = startCommand(['worker'], { cwd: folder.path, env: { ...env, CUTOVER_METRICS_PORT: `${port}` } });
    await vi.waitFor(async () => expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200), {
      timeout: 40_000,
      interval: 100,
    });
    own.child.kill('SIGTERM');
    expect((await own.ended).code).toBe(0);
  });
});
