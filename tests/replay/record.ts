import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { NewUpload } from '../../src/client/cutover-client.ts';
import { uploadSettings } from '../../src/client/settings.ts';
import type { RolloutPlan } from '../../src/domain/rollout.ts';
import {
  type MigrateInput,
  migrateWorkflowId,
  type RolloutInput,
  rollbackWorkflowId,
  rolloutStatusQuery,
  rolloutWorkflowId,
  uploadWorkflowId,
} from '../../workflows/contract.ts';
import { uploadOf } from '../support/bodies.ts';
import { startGeminiServer } from '../support/gemini-server.ts';
import { type Running, runOn } from '../support/running.ts';
import { scratchFolder, startOwnStack } from '../support/stack.ts';
import { recordMaintenance } from './record-maintenance.ts';
import { mirrors, rollbacks } from './record-mirror.ts';
import { sweeps } from './record-retention.ts';
import { shadowComparisons } from './record-shadow.ts';

/**
 * `node tests/replay/record.ts` runs workflows through their ways on a real server and saves the histories that replay.test.ts holds
 * today's code against: those that are not there yet. A saved history stands for a workflow that is running somewhere, and is not
 * to be replaced because it fails.
 */
const target = fileURLToPath(new URL('./histories/', import.meta.url));
const scratch = scratchFolder('replay');
const stack = await startOwnStack(scratch.path);
const gemini = await startGeminiServer();
const cutover = await runOn(stack, { GEMINI_API_KEY: gemini.apiKey, GEMINI_BASE_URL: gemini.url });
try {
  mkdirSync(target, { recursive: true });
  await uploads(cutover);
  await migrations(cutover);
  await rollouts(cutover);
  await shadowComparisons(cutover, isSaved, (way, workflowId) => save(cutover, way, workflowId));
  await sweeps(cutover, stack.postgresUrl ?? '', { isSaved, save });
  await recordMaintenance(cutover, { isSaved, save });
  await mirrors(cutover, { isSaved, save });
  await rollbacks(cutover, stack, { isSaved, save });
} finally {
  await cutover.stop();
  await gemini.close();
  await stack.stop();
  scratch.remove();
}

function isSaved(way: string): boolean {
  return existsSync(join(target, `${way}.1.json`));
}

/** One file for each run of a workflow: `<way>.<n>.json`, with its id, which replay needs. */
async function save({ temporal }: Running, way: string, workflowId: string): Promise<void> {
  const runs: string[] = [];
  for await (const { runId } of temporal.workflow.list({ query: `WorkflowId = '${workflowId}'` })) runs.unshift(runId);
  for (const [at, runId] of runs.entries()) {
    const history = historyToJSON(await temporal.workflow.getHandle(workflowId, runId).fetchHistory());
    // What a run has of the machine that it was recorded on does not count when it is replayed.
    const machine = (key: string, value: unknown) => (key === 'stackTrace' || key === 'identity' ? '' : value);
    writeFileSync(join(target, `${way}.${at + 1}.json`), JSON.stringify({ workflowId, history: JSON.parse(history) }, machine));
  }
  console.log(`${way}: ${runs.length} run(s)`);
}

async function uploads({ client, put, ...cutover }: Running): Promise<void> {
  const small = randomBytes(100);
  const large = randomBytes(3 << 20);
  const way = async (
    name: string,
    content: Uint8Array,
    over: Partial<NewUpload> = {},
    meddle: (path: string) => Promise<void> | void = () => {},
  ) => {
    if (isSaved(name)) return;
    const path = put(name, content);
    const upload: NewUpload = {
      idempotencyKey: name,
      source: { kind: 'path', path, sizeBytes: content.length, modifiedMs: 0 },
      provider: 'supabase',
      namespace: 'live',
      reference: { name, tool: 'record', userId: null, purpose: 'storage', context: null, tags: [], keep: 'keep' },
      verify: 'none',
      onDuplicate: 'reuse',
      ...over,
    };
    await meddle(path);
    const handle = await client.startUpload(upload);
    if (name === 'upload-cancelled') await sleep(1_500).then(() => handle.cancel());
    await client.uploadResult(handle).catch((error: Error) => console.log(`  ${name}: ${error.message}`));
    await sleep(500);
    await save({ client, put, ...cutover }, name, uploadWorkflowId(name));
  };
  await way('upload-small', small);
  await way('upload-deduplicated', small, { verify: 'stored' });
  await way('upload-large-verified', large, { verify: 'download' });
  await way('upload-vanished', small, {}, (path) => rmSync(path));
  await way('upload-duplicate-refused', small, { onDuplicate: 'error' });
  await way('upload-cancelled', randomBytes(400 << 20));
  await way('upload-by-rate', small, { provider: 'gemini', verify: 'stored' });
  const stored = await cutover.stores.provider('supabase').upload(uploadOf(5000, 1));
  const object = { kind: 'object', provider: 'supabase', id: stored.id, sizeBytes: 5000, name: 'object.bin', mimeType: null } as const;
  await way('upload-object', small, { provider: 'gemini', source: object });
  await way('upload-refused', small, { provider: 'gemini', source: { ...object, id: 'elsewhere/gone' } });
}

async function migrations({ client, put, folder, temporal, config, ...rest }: Running): Promise<void> {
  const cutover = { client, put, folder, temporal, config, ...rest };
  const fill = (name: string, files: number) => {
    for (let at = 0; at < files; at += 1) put(`${name}/${at}`, randomBytes(50));
    return { kind: 'folder', root: join(folder, name) } as const;
  };
  const way = async (
    name: string,
    source: MigrateInput['source'],
    over: Partial<MigrateInput>,
    meddle: (id: string) => Promise<void> = async () => {},
  ) => {
    if (isSaved(name)) return;
    const input: MigrateInput = {
      migrationId: name,
      source,
      provider: 'supabase',
      concurrency: 5,
      verify: 'none',
      filesPerRun: 500,
      settings: uploadSettings(config, 'supabase'),
      ...over,
    };
    await temporal.workflow.start('migrate', { workflowId: migrateWorkflowId(name), taskQueue: config.temporal.taskQueue, args: [input] });
    await meddle(name);
    await client.migrationResult(name).catch((error: Error) => console.log(`  ${name}: ${error.message}`));
    await sleep(1_000);
    await save(cutover, name, migrateWorkflowId(name));
  };
  const moved = async (id: string) => {
    while ((await client.migrationStatus(id)).totals.uploaded === 0) await sleep(50);
  };
  await way('migrate-folder', fill('folder', 12), {});
  await way('migrate-continued', fill('continued', 230), { filesPerRun: 100, concurrency: 20 });
  await way('migrate-paused', fill('paused', 20), { concurrency: 2 }, async (id) => {
    await moved(id);
    await client.pauseMigration(id, 'look');
    await sleep(500);
    await client.resumeMigration(id);
  });
  await way('migrate-cancelled', fill('cancelled', 40), { concurrency: 2 }, async (id) => {
    await moved(id);
    await client.cancelMigration(id, 'wrong folder');
  });
  await way('migrate-cancelled-in-temporal', fill('cancelled2', 40), { concurrency: 2 }, async (id) => {
    await moved(id);
    await temporal.workflow.getHandle(migrateWorkflowId(id)).cancel();
  });
  await way('migrate-refused', { kind: 'folder', root: join(folder, 'nowhere') }, {});
  await way('migrate-provider', { kind: 'provider', provider: 'supabase', under: null }, { provider: 'gemini' });
  await way('migrate-manifest', { kind: 'manifest', path: put('list.csv', 'path\nfolder/1\ngone\n') }, { verify: 'stored' });
}

async function rollouts({ temporal, config, stores: { rollouts: ledger }, ...rest }: Running): Promise<void> {
  const cutover = { temporal, config, stores: { rollouts: ledger }, ...rest } as Running;
  const rules: RolloutPlan['rules'] = {
    ...{ threshold: 0.05, minSamples: 100, alpha: 0.01, beta: 0.05, steps: 2, stickyUsers: true, onMismatch: 'hold', mismatchTolerance: 0 },
    tests: { wald: true, liveControl: false, pairs: false },
  };
  /** As facades write it, under the step that is in force. */
  async function traffic(tool: string, count: number, failed: number): Promise<void> {
    const step = (await ledger.rollout(tool))?.epoch ?? 0;
    const failures: Record<string, number> = failed === 0 ? {} : { timeout: failed };
    const minute = '2026-01-01T00:00:00.000Z';
    await ledger.recordOutcomes(randomUUID(), [{ tool, arm: 'unified', step, minute, count, failures, latency: { 10: count } }]);
  }
  const way = async (name: string, over: Partial<RolloutPlan>, more: Partial<RolloutInput>, meddle: (tool: string) => Promise<void>) => {
    if (isSaved(name)) return;
    const plan: RolloutPlan = { tool: name, steps: [1, 50], bakeMs: 200, evaluationMs: 200, gates: [], rules, ...over };
    const input: RolloutInput = {
      plan,
      startedBy: 'ann',
      reason: null,
      firstStep: 0,
      looksPerRun: 1000,
      ...more,
    };
    const handle = await temporal.workflow.start('rollout', {
      workflowId: rolloutWorkflowId(name),
      taskQueue: config.temporal.taskQueue,
      args: [input],
    });
    while ((await ledger.rollout(name)) === null) await sleep(50);
    await meddle(name);
    await handle.result();
    await sleep(500);
    await save(cutover, name, rolloutWorkflowId(name));
  };
  const handleOf = (tool: string) => temporal.workflow.getHandle(rolloutWorkflowId(tool));
  const until = async (tool: string, status: string) => {
    for (let fed = -1; (await handleOf(tool).query(rolloutStatusQuery)).state.status !== status; await sleep(100)) {
      const { epoch } = await handleOf(tool).query(rolloutStatusQuery);
      if (epoch > fed && epoch > 0) await traffic(tool, 400, 1);
      fed = epoch;
    }
  };
  await way('rollout-healthy', {}, {}, async (tool) => {
    await until(tool, 'guarding');
    await handleOf(tool).signal('promote', { reason: 'well done', by: 'ann' });
  });
  await way('rollout-rolled-back', {}, {}, (tool) => traffic(tool, 30, 10));
  await way('rollout-paused', {}, {}, async (tool) => {
    await handleOf(tool).signal('pause', { reason: 'deploy' });
    await sleep(1500);
    await handleOf(tool).signal('resume');
    await until(tool, 'guarding');
    await handleOf(tool).signal('rollback');
  });
  await way('rollout-gated', { gates: [1] }, {}, async (tool) => {
    await until(tool, 'awaiting_approval');
    await handleOf(tool).signal('promote');
    await until(tool, 'guarding');
    await handleOf(tool).signal('promote');
  });
  await way('rollout-continued', {}, { looksPerRun: 2 }, async (tool) => {
    while ((await handleOf(tool).query(rolloutStatusQuery)).looks < 5) await sleep(100);
    await handleOf(tool).signal('rollback', { reason: 'enough' });
  });
  await way('rollout-cancelled', {}, {}, async (tool) => {
    await sleep(1000);
    await handleOf(tool).cancel();
  });
  if (isSaved('rollback-completed')) return;
  const input = { tool: 'rollout-healthy', by: 'ann', reason: 'a late one' };
  const workflowId = rollbackWorkflowId(input.tool);
  await temporal.workflow.execute('rollback', { workflowId, taskQueue: config.temporal.taskQueue, args: [input] });
  await save(cutover, 'rollback-completed', workflowId);
}
