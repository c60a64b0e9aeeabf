import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { FileService } from '../../src/facade/file-service.ts';
import { folderStaging } from '../../src/facade/staging.ts';
import { createUnified, knownTo } from '../../src/facade/unified.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { createFileManager } from '../../src/manager/file-manager.ts';
import type { Stores } from '../../src/manager/stores.ts';
import { createUploadSteps } from '../../src/manager/upload-steps.ts';
import type { Uploads } from '../../src/manager/uploader.ts';
import { expectPlainFiles, fileOperations } from '../conformance/file-model.ts';
import { contextOf, sampleFile } from '../conformance/file-service-suite.ts';
import { reference, stored } from '../conformance/ledger-samples.ts';
import { createInProcessUploads } from '../support/in-process-upload.ts';
import { createMemoryLedger } from '../support/memory-ledger.ts';
import { createMemoryProvider, type MemoryProvider } from '../support/memory-provider.ts';
import { scratchFolder } from '../support/stack.ts';

/** Files of the new path as an application sees them, over a ledger, a provider and workflows in memory. */

const scratch = scratchFolder('unified-files');
afterAll(() => scratch.remove());

function unifiedInMemory() {
  const ledger = createMemoryLedger();
  const storage = createMemoryProvider({ name: 'supabase', account: 'memory/a' });
  const provider = () => storage;
  const run = createInProcessUploads(createUploadSteps({ ledger, provider, limits: { maxFileBytes: 100_000, allowedExtensions: null } }));
  const results = new Map<string, ReturnType<typeof run>>();
  const uploads = {
    async startUpload(order) {
      results.set(order.idempotencyKey, run(order));
      return { workflowId: order.idempotencyKey };
    },
    uploadResult: ({ workflowId }) => results.get(workflowId) as ReturnType<typeof run>,
  } as Uploads;
  const stores = { ledger, provider, providers: [] } as unknown as Pick<Stores, 'ledger' | 'provider' | 'providers'>;
  const manager = createFileManager({ ...stores, uploads: async () => uploads });
  const service = createUnified({
    ...{ manager, ledger, providerOf: () => 'supabase', staging: folderStaging(scratch.path) },
    patience: { startMs: 5000, doneMs: () => 5000 },
  });
  return { ledger, storage, service };
}

test('Files of the new path are to an application what they are at the old one, whatever it does with the same bytes', async () => {
  await fc.assert(
    fc.asyncProperty(fileOperations(25), async (operations) => {
      const { ledger, storage, service } = unifiedInMemory();
      const left = await expectPlainFiles(service, operations);
      // What nobody holds any more is marked; what somebody holds is one object.
      const live = (await ledger.list({ after: null, limit: 100 })).map(({ id }) => id);
      expect(live).toHaveLength(left.size);
      expect(storage.objects.size).toBeLessThanOrEqual(2);
    }),
    { numRuns: 150 },
  );
});

describe('An id', () => {
  let ledger: Ledger;
  let storage: MemoryProvider;
  let service: FileService;
  beforeEach(() => {
    ({ ledger, storage, service } = unifiedInMemory());
  });

  test('is of one upload, though the same bytes are one object', async () => {
    const ann = contextOf();
    const { file } = sampleFile(10);
    const [first, second] = [await service.upload(file, ann), await service.upload(file, { ...ann, operationId: randomUUID() })];
    expect(storage.objects.size).toBe(1);
    expect(await service.delete(first.id, ann)).toBe(true);
    expect(await service.delete(first.id, ann)).toBe(false);
    expect(await service.info(second.id, ann)).toEqual({ ...second, id: second.id });
    expect(await knownTo(ledger, first.id, ann)).toBe(true);
  });

  test('of a content, as it was given out before uploads had ids, is answered, and reaches no upload that has its own', async () => {
    const ann = contextOf();
    const { file } = sampleFile(10);
    const own = await service.upload(file, ann);
    const { id: fileId } = (await ledger.file(own.id)) as { id: string };
    expect(await service.info(fileId, ann)).toBeNull();
    await ledger.addReference(fileId, reference({ userId: ann.userId, name: 'before.txt' }));
    expect(await knownTo(ledger, fileId, ann)).toBe(true);
    expect(await service.info(fileId, ann)).toMatchObject({ id: fileId, name: 'before.txt' });
    expect((await service.list({ after: null, limit: 10 }, ann)).files.map(({ id }) => id).sort()).toEqual([own.id, fileId].sort());
    expect([await service.delete(fileId, ann), await service.delete(fileId, ann)]).toEqual([true, false]);
    expect(await service.info(own.id, ann)).toMatchObject({ id: own.id });
  });

  test('is deleted once, also by calls that come at once', async () => {
    const ann = contextOf();
    const { file } = sampleFile(10);
    const [first, second] = [await service.upload(file, ann), await service.upload(file, { ...ann, operationId: randomUUID() })];
    const deleted = await Promise.all([first, first, first].map(({ id }) => service.delete(id, ann)));
    expect(deleted.filter((gone) => gone)).toHaveLength(1);
    expect(await service.info(second.id, ann)).not.toBeNull();
  });

  test('of a content that was given out for two names gives up one of them at a time, the oldest first', async () => {
    const { fileId } = await stored(ledger);
    const ann = contextOf();
    for (const name of ['a.txt', 'b.txt']) await ledger.addReference(fileId, reference({ userId: ann.userId, name }));
    expect(await service.delete(fileId, ann)).toBe(true);
    expect(await service.info(fileId, ann)).toMatchObject({ name: 'b.txt' });
    expect([await service.delete(fileId, ann), await service.delete(fileId, ann)]).toEqual([true, false]);
  });

  test('is given again to whoever tries an upload again under the same operation, and to nobody else', async () => {
    const { file } = sampleFile(10);
    const ann = contextOf();
    const first = await service.upload(file, ann);
    expect(await service.upload(file, ann)).toEqual(first);
    const others = [
      await service.upload({ ...file, name: 'other.txt' }, ann),
      await service.upload(sampleFile(10).file, ann),
      await service.upload(file, { ...ann, userId: 'ben' }),
      await service.upload(file, { ...ann, tool: 'supabase' }),
      await service.upload(file, { ...ann, operationId: randomUUID() }),
    ];
    expect(new Set([first, ...others].map(({ id }) => id)).size).toBe(6);
    expect((await service.list({ after: null, limit: 10 }, ann)).files).toHaveLength(5);
  });
});
