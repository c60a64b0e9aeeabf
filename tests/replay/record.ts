import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { NewUpload } from '../../src/client/cutover-client.ts';
import { uploadSettings } from '../../src/client/settings.ts';
import { type MigrateInput, migrateWorkflowId, uploadWorkflowId } from '../../workflows/contract.ts';
import { type Running, runOn } from '../support/running.ts';
import { scratchFolder, startOwnStack } from '../support/stack.ts';

/**
 * `node tests/replay/record.ts` runs each workflow through its ways on a real server and saves the histories that replay.test.ts
 * holds today's code against. Run it for new workflows and new ways only: a saved history stands for a workflow that is running
 * somewhere, and is not to be replaced because it fails.
 */
const target = fileURLToPath(new URL('./histories/', import.meta.url));
const scratch = scratchFolder('replay');
const stack = await startOwnStack(scratch.path);
const cutover = await runOn(stack);
try {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  await uploads(cutover);
  await migrations(cutover);
} finally {
  await cutover.stop();
  await stack.stop();
  scratch.remove();
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
  await way('migrate-manifest', { kind: 'manifest', path: put('list.csv', 'path\nfolder/1\ngone\n') }, { verify: 'stored' });
}
