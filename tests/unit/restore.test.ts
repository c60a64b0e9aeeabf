import { beforeEach, expect, test } from 'vitest';
import type { FileRecord } from '../../src/domain/models.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { restoreFile } from '../../src/manager/restore.ts';
import { stored } from '../conformance/ledger-samples.ts';
import { createMemoryLedger } from '../support/memory-ledger.ts';

let ledger: Ledger;
beforeEach(() => {
  ledger = createMemoryLedger();
});
async function deletedFile() {
  const { fileId, copyId } = await stored(ledger);
  await ledger.softDelete(fileId, 'expired');
  return { file: (await ledger.file(fileId)) as FileRecord, copyId };
}

test('A deleted file is there again, and counts as read now, so that no sweep takes it at once', async () => {
  const { file, copyId } = await deletedFile();
  const before = file.accessedAt ?? '';
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(await restoreFile(file, ledger)).toMatchObject([{ id: copyId, deletedAt: null }]);
  expect(Date.parse((await ledger.file(file.id))?.accessedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(before));
});

test('A file that nobody has deleted is not restored', async () => {
  const { file } = await deletedFile();
  await restoreFile(file, ledger);
  await expect(restoreFile(file, ledger)).rejects.toMatchObject({ code: 'not_deleted' });
});

test('It is too late once the purge has begun, and it is said since when', async () => {
  const { file, copyId } = await deletedFile();
  await ledger.beginPurge(copyId, 'sweep', 60);
  await expect(restoreFile(file, ledger)).rejects.toMatchObject({
    code: 'too_late',
    message: expect.stringContaining('is being removed now'),
  });
  await ledger.completePurge(copyId, 'sweep');
  await expect(restoreFile(file, ledger)).rejects.toMatchObject({
    code: 'too_late',
    message: expect.stringMatching(/was removed at .*expired\)\. Upload the file again/),
  });
});
