import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FileManagementError } from '../../src/domain/errors.ts';
import { describeMigration, filesDone, startMigration, withItem, withPage } from '../../src/domain/migration.ts';
import { arrivedItem, cancelledItem, failedItem, problemItem } from '../../src/domain/migration-item.ts';
import type { MigrationItem } from '../../src/domain/models.ts';

const file = { path: 'a "b"\nc', sizeBytes: 5 };
const arrived = arrivedItem(file, {
  outcome: 'uploaded',
  fileId: 'f',
  sha256: 'a'.repeat(64),
  sizeBytes: 7,
  providerFileId: 'bucket/key',
  verified: 'stored',
});
const failed = failedItem(file, new FileManagementError('no room', { code: 'insufficient_storage' }));

describe("a migration's totals", () => {
  test('count every file that was listed exactly once, however it ended', () => {
    const ends = fc.constantFrom<MigrationItem>(arrived, { ...arrived, status: 'deduplicated' }, failed, cancelledItem(file), {
      ...failed,
      status: 'skipped',
    });
    fc.assert(
      fc.property(fc.array(ends, { maxLength: 50 }), (items) => {
        let state = withPage(startMigration(0), { items, next: null });
        for (const item of items) state = withItem(state, item);
        expect(filesDone(state.totals)).toBe(items.length);
        expect(state.totals.listed).toBe(items.length);
        expect(state.failures.length).toBe(Math.min(5, items.filter((item) => item.status === 'failed').length));
      }),
    );
  });

  test('count the bytes that were sent apart from those that were there already', () => {
    let state = startMigration(0);
    state = withItem(withItem(withItem(state, arrived), { ...arrived, status: 'deduplicated' }), failed);
    expect(state.totals).toMatchObject({ uploadedBytes: 7, deduplicatedBytes: 7, failed: 1 });
  });

  test('say how many copies were checked, and in which way', () => {
    const ended = [failed, ...(['none', 'stored', 'download'] as const).map((verified) => ({ ...arrived, verified }))];
    const { totals } = ended.reduce(withItem, startMigration(0));
    expect(totals).toMatchObject({ verifiedStored: 1, verifiedDownload: 1 });
  });

  test('remember where the listing goes on, and that it has ended', () => {
    const first = withPage(startMigration(0), { items: [file], next: 'a' });
    expect(first).toMatchObject({ cursor: 'a', exhausted: false });
    expect(withPage(first, { items: [file], next: null })).toMatchObject({ exhausted: true, totals: { listed: 2, listedBytes: 10 } });
  });
});

describe("a report's line", () => {
  test('has what arrived as it arrived, not as it was listed', () => {
    expect(arrived).toMatchObject({ path: file.path, sizeBytes: 7, status: 'uploaded', verified: 'stored', error: null });
  });
  test('has the code and the message of what failed', () => {
    expect(failed).toMatchObject({ status: 'failed', errorCode: 'insufficient_storage', error: 'no room' });
  });
  test('has the problem of a name that could not be moved from the start', () => {
    const problem = { status: 'skipped', code: 'not_a_file', message: 'a pipe' } as const;
    expect(problemItem({ ...file, key: 'k', source: null, problem })).toMatchObject({ status: 'skipped', errorCode: 'not_a_file' });
  });
});

test('the details in the UI name phase, reason, counts and the first failures, and no name breaks their lines', () => {
  const state = { ...withItem(startMigration(0), failed), phase: 'paused' as const, reason: 'disk is filling' };
  const text = describeMigration(state);
  expect(text).toContain('**paused**: disk is filling');
  expect(text).toContain('1 failed');
  expect(text).toContain('"a \\"b\\"\\nc": no room');
});
