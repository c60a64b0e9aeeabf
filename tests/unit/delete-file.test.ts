import { beforeEach, expect, test } from 'vitest';
import type { FileRecord } from '../../src/domain/models.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { deleteFile } from '../../src/manager/delete.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { claimRequest, reference } from '../conformance/ledger-samples.ts';
import { createMemoryLedger } from '../support/memory-ledger.ts';
import { createMemoryProvider } from '../support/memory-provider.ts';

let ledger: Ledger;
let deleted: string[];
const purging = { reason: 'asked for', purge: true, signal: new AbortController().signal };

beforeEach(() => {
  ledger = createMemoryLedger();
  deleted = [];
});

/** A vendor, or a storage, that is reached under an account. */
const at = (account: string, vendor: boolean) => (): Provider => ({
  ...createMemoryProvider({ name: 'place', account }),
  ...(vendor ? { idOf: () => null } : {}),
  delete: async (id) => deleted.push(id) > 0,
});
async function storedAt(account: string): Promise<FileRecord> {
  const request = claimRequest({ provider: 'place', account });
  const { fileId, copyId } = await ledger.claim(request);
  await ledger.complete(copyId, request.owner, 'b/object');
  return (await ledger.file(fileId)) as FileRecord;
}

test.each([
  ['a vendor, under another key', 'api/key-1', 'api/key-2', true],
  ['a storage, in another project', 'project-1/b', 'project-2/b', false],
])('What is at %s, is not counted as purged, and nothing is deleted with the wrong key', async (_, account, configured, vendor) => {
  const file = await storedAt(account);
  await expect(deleteFile(file, 'all', purging, { ledger, provider: at(configured, vendor) })).rejects.toMatchObject({
    code: 'other_account',
    message: expect.stringContaining(account),
  });
  expect([deleted, (await ledger.copies(file.id))[0]?.purgedAt]).toEqual([[], null]);
  expect(await deleteFile(file, 'all', purging, { ledger, provider: at(account, vendor) })).toMatchObject({ purged: 1 });
  expect(deleted).toEqual(['b/object']);
});

test('What is in another bucket of the same storage is purged there', async () => {
  const file = await storedAt('project/b');
  expect(await deleteFile(file, 'all', purging, { ledger, provider: at('project/c', false) })).toMatchObject({ purged: 1 });
  expect(deleted).toEqual(['b/object']);
});

test('Two who give up the last two holds at the same time leave no object behind, and each hold is given up once', async () => {
  const { id: fileId } = await storedAt('project/b');
  const file = (await ledger.file(fileId)) as FileRecord;
  const [one, two] = [await ledger.addReference(fileId, reference()), await ledger.addReference(fileId, reference({ name: 'b' }))];
  const give = (id: string) =>
    deleteFile(file, [id], { ...purging, purge: false }, { ledger: snapshotsFirst, provider: at('project/b', false) });
  // Each has seen the other's hold before either is given up.
  const seen = Promise.withResolvers<void>();
  let looking = 0;
  const snapshotsFirst: Ledger = {
    ...ledger,
    async references(id) {
      const found = await ledger.references(id);
      looking += 1;
      if (looking === 3) seen.resolve();
      await seen.promise;
      return found;
    },
  };
  const ends = await Promise.all([give(one.id), give(two.id), give(two.id)]);
  expect(ends.reduce((sum, { references }) => sum + references, 0)).toBe(2);
  expect(ends.reduce((sum, { copies }) => sum + copies, 0)).toBe(1);
  expect(await ledger.copies(fileId)).toMatchObject([{ deletedAt: expect.any(String) }]);
});

test('What a failed upload may have left is not called purged before somebody has looked for it: that is the sweep’s', async () => {
  const file = await storedAt('project/b');
  const request = claimRequest({ provider: 'place', account: 'project/b', purpose: 'batch' });
  const content = { sha256: file.sha256 ?? '', sizeBytes: file.sizeBytes ?? 0, mimeType: file.mimeType ?? '' };
  const failed = await ledger.claim({ ...request, content });
  await ledger.fail(failed.copyId, request.owner, 'timeout');
  const [whole, left] = await ledger.copies(file.id);
  expect(left).toMatchObject({ id: failed.copyId, providerFileId: null });
  const begun: string[] = [];
  const watched: Ledger = {
    ...ledger,
    beginPurge: (id, ...rest) => {
      begun.push(id);
      return ledger.beginPurge(id, ...rest);
    },
  };
  expect(await deleteFile(file, 'all', purging, { ledger: watched, provider: at('project/b', false) })).toMatchObject({ purged: 1 });
  expect(begun).toEqual([whole?.id]);
});
