import { beforeEach, expect, test } from 'vitest';
import type { FileRecord } from '../../src/domain/models.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { restoreFile } from '../../src/manager/restore.ts';
import { claimRequest, won } from '../conformance/ledger-samples.ts';
import { createMemoryLedger } from '../support/memory-ledger.ts';

let ledger: Ledger;
beforeEach(() => {
  ledger = createMemoryLedger();
});
async function deletedFile(expiresAt: string | null = null) {
  const request = claimRequest();
  const { fileId, copyId } = await won(ledger, request);
  await ledger.complete(copyId, request.owner, 'object', expiresAt);
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

test('What its provider has dropped by itself is not restored, and it is said when it went', async () => {
  const { file } = await deletedFile('2026-01-02T00:00:00Z');
  await expect(restoreFile(file, ledger)).rejects.toMatchObject({
    code: 'too_late',
    message: expect.stringContaining('was dropped by supabase itself at 2026-01-02T00:00:00Z'),
  });
  const still = await deletedFile(new Date(Date.now() + 60_000).toISOString());
  expect(await restoreFile(still.file, ledger)).toHaveLength(1);
});
