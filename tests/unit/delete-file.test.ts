import { beforeEach, expect, test } from 'vitest';
import type { FileRecord } from '../../src/domain/models.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { deleteFile } from '../../src/manager/delete.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { claimRequest } from '../conformance/ledger-samples.ts';
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
