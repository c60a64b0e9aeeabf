import { randomUUID } from 'node:crypto';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import { storageCapabilities } from '../../src/domain/capabilities.ts';
import { ValidationError } from '../../src/domain/errors.ts';
import type { MigrationItem } from '../../src/domain/models.ts';
import { createUploadSteps } from '../../src/manager/upload-steps.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { openSource } from '../../src/sources/open.ts';
import { workflowBundle } from '../../workers/bundle.ts';
import type { MigrateInput } from '../../workflows/contract.ts';
import { type Running, runCutover } from '../support/cutover.ts';
import { createMemoryProvider } from '../support/memory-provider.ts';

/** The real workflows, ledger and storage; beside the storage two places in memory, so that a test sees what is read of them. */

let cutover: Running;
let stopWorker: () => Promise<void>;
const place = createMemoryProvider({ name: 'place', account: `place/${randomUUID()}`, pageSize: 3 });
const downloads: string[] = [];
const { download } = place;
place.download = (id, options) => {
  downloads.push(id);
  return download(id, options);
};
const swallowed = createMemoryProvider({ name: 'vendor', account: `vendor/${randomUUID()}` });
/** Makes ids of its own, and gives nothing back. */
const vendor: Provider = {
  ...swallowed,
  idOf: () => null,
  capabilities: { ...storageCapabilities(10_000_000), downloads: false },
  download: () => Promise.reject(new ValidationError('only what was extracted', { code: 'not_downloadable', provider: 'vendor' })),
};

beforeAll(async () => {
  cutover = await runCutover({}, { workers: 0 });
  const { ledger, provider: real } = cutover.stores;
  const provider = (name: string): Provider => [place, vendor].find((one) => one.name === name) ?? real(name);
  const connection = await NativeConnection.connect({ address: inject('temporal').address });
  const worker = await Worker.create({
    connection,
    taskQueue: cutover.config.temporal.taskQueue,
    activities: createActivities({
      ...{
        ...cutover.stores,
        provider,
        providerFor: () => provider,
        client: cutover.temporal,
        source: (from) => openSource(from, provider),
      },
      stepsFor: () => createUploadSteps({ ledger, provider, limits: cutover.config.files }),
    }),
    workflowBundle: { codePath: await workflowBundle(inject('stateDir')) },
  });
  const running = worker.run();
  stopWorker = async () => {
    worker.shutdown();
    await running;
    await connection.close();
  };
});
afterAll(async () => {
  await stopWorker();
  await cutover.stop();
});

const put = (at: typeof place, id: string, content: string | Buffer) =>
  at.objects.set(id, { bytes: Buffer.from(content), mimeType: 'application/octet-stream', createdAt: new Date().toISOString() });
async function migrate(source: MigrateInput['source'], to: string, verify: MigrateInput['verify'] = 'none') {
  const id = await cutover.client.startMigration({ source, provider: to, concurrency: 5, verify, migrationId: randomUUID() });
  const state = await cutover.client.migrationResult(id);
  const items = await cutover.stores.ledger.migrationItems(id, { after: null, limit: 1000 });
  return { id, state, items: new Map<string, MigrationItem>(items.map((item) => [item.path, item])) };
}
const from = (provider: string, under: string | null = null) => ({ kind: 'provider', provider, under }) as const;

describe('a migration from a provider', () => {
  test("moves an application's own files, whatever their names, and the report tells where each came from", async () => {
    const run = randomUUID();
    const large = Buffer.alloc(3 * 1024 * 1024, run);
    const files: Record<string, string | Buffer> = {
      [`${run}/a.txt`]: `a ${run}`,
      [`${run}/tief/ver schachtelt/ä "q" 😀.pdf`]: `b ${run}`,
      [`${run}/empty`]: '',
      [`${run}/large.bin`]: large,
      ...Object.fromEntries(Array.from({ length: 9 }, (_, at) => [`${run}/many/${at}`, `${run} ${at}`])),
    };
    for (const [id, content] of Object.entries(files)) put(place, id, content);
    const { id, state, items } = await migrate(from('place', `${run}/`), 'supabase', 'download');
    expect(state).toMatchObject({ phase: 'done', totals: { listed: 13, failed: 0, verifiedDownload: 13 } });
    for (const [path, content] of Object.entries(files))
      expect(items.get(path)).toMatchObject({ sizeBytes: content.length, sourceProvider: 'place', sourceId: path, verified: 'download' });
    const moved = await cutover.stores.ledger.resolveId(`${run}/large.bin`);
    expect(moved).toMatchObject({ migrationId: id, provider: 'supabase', providerFileId: items.get(`${run}/large.bin`)?.providerFileId });

    const again = await migrate(from('place', `${run}/`), 'supabase');
    expect(again.state.totals).toMatchObject({ uploaded: 0, deduplicated: 13 });
  }, 60_000);

  test('does not read a byte of what the ledger knows at both ends', async () => {
    const run = randomUUID();
    cutover.put(`${run}/one`, `one ${run}`);
    cutover.put(`${run}/two`, `two ${run}`);
    const folder = { kind: 'folder', root: `${cutover.folder}/${run}` } as const;
    const there = await migrate(folder, 'place');
    await migrate(folder, 'supabase');
    downloads.length = 0;
    const ids = [...there.items.values()].map(({ providerFileId }) => providerFileId ?? '');
    for (const under of ids) {
      const { state } = await migrate(from('place', under), 'supabase');
      expect(state.totals).toMatchObject({ listed: 1, uploaded: 0, deduplicated: 1 });
    }
    expect(downloads).toEqual([]);
  }, 60_000);

  test('that gives nothing back moves what the ledger has elsewhere, and says plainly of the others that they cannot be had', async () => {
    const run = randomUUID();
    cutover.put(`${run}/kept.pdf`, `kept ${run}`);
    const folder = { kind: 'folder', root: `${cutover.folder}/${run}` } as const;
    await migrate(folder, 'place');
    const sent = await migrate(folder, 'vendor');
    put(swallowed, `memory/lost-${run}.pdf`, `lost ${run}`);
    const { state, items } = await migrate(from('vendor'), 'supabase');
    expect(state.totals).toMatchObject({ listed: 2, uploaded: 1, failed: 1 });
    const moved = [...items.values()].find(({ status }) => status === 'uploaded');
    expect(moved).toMatchObject({ sourceProvider: 'vendor', sourceId: sent.items.get('kept.pdf')?.providerFileId });
    const lost = [...items.values()].find(({ status }) => status === 'failed');
    expect(lost).toMatchObject({
      errorCode: 'original_not_available',
      sourceId: `memory/lost-${run}.pdf`,
      error: expect.stringMatching(/vendor does not give the original of .*lost.* back/),
    });
  }, 60_000);

  test('is refused where it leads to itself, and where reading back is asked of one that gives nothing back', async () => {
    await expect(migrate(from('place'), 'place')).rejects.toMatchObject({ code: 'same_place' });
    await expect(migrate(from('place'), 'vendor', 'download')).rejects.toMatchObject({ code: 'not_downloadable' });
    await expect(migrate(from('place', 'nothing/here/'), 'supabase')).rejects.toMatchObject({ code: 'source_empty' });
  });
});
