import { randomBytes } from 'node:crypto';
import { rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { uploadSettings } from '../../src/client/settings.ts';
import type { MigrationState } from '../../src/domain/migration.ts';
import type { MigrationItem } from '../../src/domain/models.ts';
import { type MigrateInput, migrateWorkflowId } from '../../workflows/contract.ts';
import { type Running, runCutover } from '../support/cutover.ts';

let cutover: Running;
beforeAll(async () => {
  cutover = await runCutover();
});
afterAll(() => cutover.stop());

let ids = 0;
const newId = () => `${cutover.config.temporal.taskQueue}-${++ids}`;
const fill = (folder: string, files: number, size = 20) => {
  for (let at = 0; at < files; at += 1) cutover.put(`${folder}/${at % 7}/${at}`, randomBytes(size));
  return { kind: 'folder', root: join(cutover.folder, folder) } as const;
};
const start = (source: MigrateInput['source'], over: Partial<MigrateInput> = {}) =>
  cutover.client.startMigration({ source, provider: 'supabase', concurrency: 20, verify: 'none', migrationId: newId(), ...over });
const migrate = async (source: MigrateInput['source'], over: Partial<MigrateInput> = {}) => {
  const id = await start(source, over);
  return { id, state: await cutover.client.migrationResult(id), items: await report(id) };
};
async function report(id: string): Promise<Map<string, MigrationItem>> {
  const items = await cutover.stores.ledger.migrationItems(id, { after: null, limit: 1000 });
  return new Map(items.map((item) => [item.path, item]));
}
const reached = (id: string, is: (state: MigrationState) => boolean) =>
  expect.poll(async () => is(await cutover.client.migrationStatus(id)), { timeout: 20_000, interval: 50 }).toBe(true);

describe('a migration of a folder', () => {
  test('moves every file, and the report has a line for each', async () => {
    const { state, items } = await migrate(fill('whole', 60), { verify: 'stored' });
    expect(state).toMatchObject({ phase: 'done', running: 0, totals: { listed: 60, uploaded: 60, uploadedBytes: 1200, failed: 0 } });
    expect(items.size).toBe(60);
    for (const item of items.values()) expect(item).toMatchObject({ status: 'uploaded', sizeBytes: 20, verified: 'stored', error: null });
  });

  test('run again uploads nothing', async () => {
    const source = fill('twice', 20);
    await migrate(source);
    const { state } = await migrate(source);
    expect(state.totals).toMatchObject({ uploaded: 0, deduplicated: 20, deduplicatedBytes: 400 });
  });

  test('goes on past what cannot be moved, and says of each why', async () => {
    const source = fill('mixed', 3);
    cutover.put('mixed/gone', 'x');
    cutover.put('elsewhere', 'linked');
    symlinkSync(join(cutover.folder, 'elsewhere'), join(source.root, 'link'));
    symlinkSync('nowhere', join(source.root, 'broken'));
    symlinkSync('0', join(source.root, 'to-folder'));
    const { state, items } = await migrate(source);
    expect(state.totals).toMatchObject({ uploaded: 5, failed: 1, skipped: 1 });
    expect(items.get('link')).toMatchObject({ status: 'uploaded', sizeBytes: 6 });
    expect(items.get('broken')).toMatchObject({ status: 'failed', errorCode: 'broken_link' });
    expect(items.get('to-folder')).toMatchObject({ status: 'skipped', errorCode: 'link_to_folder' });
    expect(state.failures).toEqual([{ path: 'broken', error: expect.stringContaining('leads nowhere') }]);
  });

  test('continues as new many times without losing or repeating a file', async () => {
    const id = newId();
    const source = fill('runs', 250);
    const input: MigrateInput = {
      migrationId: id,
      source,
      provider: 'supabase',
      concurrency: 30,
      verify: 'none',
      filesPerRun: 50,
      settings: uploadSettings(cutover.config, 'supabase'),
    };
    const handle = await cutover.temporal.workflow.start('migrate', {
      workflowId: migrateWorkflowId(id),
      taskQueue: cutover.config.temporal.taskQueue,
      args: [input],
    });
    const state = (await handle.result()) as MigrationState;
    expect(state.runs).toBeGreaterThan(2);
    expect(state).toMatchObject({ phase: 'done', totals: { listed: 250, uploaded: 250 } });
    expect((await report(id)).size).toBe(250);
  }, 90_000);

  test('starts no file while it is paused, and goes on when it is resumed', async () => {
    const id = await start(fill('paused', 40), { concurrency: 2 });
    await reached(id, ({ totals }) => totals.uploaded > 0);
    await cutover.client.pauseMigration(id, 'let us look');
    await reached(id, ({ phase, running }) => phase === 'paused' && running === 0);
    const before = await cutover.client.migrationStatus(id);
    expect(before).toMatchObject({ reason: 'let us look' });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect((await cutover.client.migrationStatus(id)).totals).toEqual(before.totals);
    await cutover.client.resumeMigration(id);
    const state = await cutover.client.migrationResult(id);
    expect(state).toMatchObject({ phase: 'done', reason: null, totals: { uploaded: 40 } });
  }, 60_000);

  test('that is cancelled by a signal ends with what was done until then', async () => {
    const id = await start(fill('cancelled', 200), { concurrency: 2 });
    await reached(id, ({ totals }) => totals.uploaded > 0);
    await cutover.client.cancelMigration(id, 'wrong folder');
    const state = await cutover.client.migrationResult(id);
    expect(state).toMatchObject({ phase: 'cancelled', reason: 'wrong folder', running: 0 });
    expect(state.totals.uploaded).toBeLessThan(200);
    const items = [...(await report(id)).values()];
    expect(items.filter(({ status }) => status === 'uploaded')).toHaveLength(state.totals.uploaded);
  });

  test('that is cancelled in Temporal ends as cancelled there, and its report is whole', async () => {
    const id = await start(fill('cancelled-there', 200), { concurrency: 2 });
    await reached(id, ({ totals }) => totals.uploaded > 0);
    await cutover.temporal.workflow.getHandle(migrateWorkflowId(id)).cancel();
    await expect(cutover.client.migrationResult(id)).rejects.toMatchObject({ code: 'cancelled' });
    const state = await cutover.client.migrationStatus(id);
    expect(state).toMatchObject({ phase: 'cancelled', running: 0 });
    expect((await report(id)).size).toBe(state.totals.uploaded + state.totals.cancelled);
  });

  test('can be found by its phase and its provider, and by whether files failed', async () => {
    const { id } = await migrate(fill('attributes', 2));
    const query = `WorkflowId = '${migrateWorkflowId(id)}' AND CutoverPhase = 'done' AND CutoverProvider = 'supabase' AND CutoverFailedFiles = 0`;
    await expect.poll(async () => (await cutover.temporal.workflow.count(query)).count, { timeout: 10_000 }).toBe(1);
  });

  test('with an id that is running already is refused', async () => {
    const source = fill('same', 10);
    const id = await start(source, { concurrency: 1 });
    await expect(start(source, { migrationId: id })).rejects.toMatchObject({ code: 'already_started' });
    await cutover.client.migrationResult(id);
  });
});

describe('a migration by manifest', () => {
  test('moves what the manifest names, with the names and users that it gives', async () => {
    cutover.put('m/a', 'a by manifest');
    cutover.put('m/b', 'b by manifest');
    const path = cutover.put('m/files.csv', 'path,name,user_id,tags\na,Annual report,u-1,red;blue\nb,,,\ngone,,,\n');
    const { state, items } = await migrate({ kind: 'manifest', path });
    expect(state.totals).toMatchObject({ uploaded: 2, failed: 1 });
    expect(items.get('gone')).toMatchObject({ status: 'failed', errorCode: 'file_vanished' });
    const [reference] = await cutover.stores.ledger.references(items.get('a')?.fileId ?? '');
    expect(reference).toMatchObject({ name: 'Annual report', userId: 'u-1', tags: ['red', 'blue'], tool: 'migrate', keep: 'keep' });
  });

  test('with a broken line starts nothing and names the line', async () => {
    const path = cutover.put('broken.jsonl', '{"path":"a"}\n{"path"\n');
    const id = await start({ kind: 'manifest', path });
    await expect(cutover.client.migrationResult(id)).rejects.toMatchObject({
      code: 'manifest_invalid',
      message: expect.stringContaining('line 2'),
    });
    expect((await report(id)).size).toBe(0);
  });
});

describe('a migration that cannot start', () => {
  test('because the folder is not there says so', async () => {
    const id = await start({ kind: 'folder', root: join(cutover.folder, 'nowhere') });
    await expect(cutover.client.migrationResult(id)).rejects.toMatchObject({ code: 'source_not_found' });
  });
  test('because its folder holds no files says so', async () => {
    rmSync(cutover.put('empty/file', ''));
    const id = await start({ kind: 'folder', root: join(cutover.folder, 'empty') });
    await expect(cutover.client.migrationResult(id)).rejects.toMatchObject({ code: 'source_empty' });
  });
  test('is unknown to status, pause and cancel', async () => {
    for (const ask of [cutover.client.migrationStatus, cutover.client.pauseMigration, cutover.client.cancelMigration])
      await expect(ask('no-such-migration')).rejects.toMatchObject({ code: 'workflow_not_found' });
  });
});
