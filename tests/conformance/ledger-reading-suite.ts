import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { FileNotFoundError } from '../../src/domain/errors.ts';
import type { MigrationItem } from '../../src/domain/models.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { contentOf, reference, stored } from './ledger-samples.ts';

/** What can be looked up: files, and the report of a migration. */
export function describeReading(on: { ledger: Ledger }): void {
  describe('reading', () => {
    it('finds a file by id and by hash, and says null for one that it does not know', async () => {
      const { fileId, request } = await stored(on.ledger);
      const file = await on.ledger.file(fileId);
      expect(file).toMatchObject({ id: fileId, ...request.content, originalName: 'report.txt', duplicateOf: null });
      expect(await on.ledger.fileByHash(request.content.sha256)).toEqual(file);
      expect(await on.ledger.file(randomUUID())).toBeNull();
      expect(await on.ledger.fileByHash(contentOf(randomUUID()).sha256)).toBeNull();
      expect(await on.ledger.copies(randomUUID())).toEqual([]);
    });

    it('keeps sizes beyond 2 GiB', async () => {
      const content = { ...contentOf(randomUUID()), sizeBytes: 5_497_558_138_881 };
      const { fileId } = await stored(on.ledger, { content });
      expect((await on.ledger.file(fileId))?.sizeBytes).toBe(5_497_558_138_881);
    });

    it('notes that a file was read, and refuses one that it does not know', async () => {
      const { fileId } = await stored(on.ledger);
      await on.ledger.touch(fileId);
      expect(Date.parse((await on.ledger.file(fileId))?.accessedAt ?? '')).toBeGreaterThan(Date.now() - 60_000);
      await expect(on.ledger.touch(randomUUID())).rejects.toBeInstanceOf(FileNotFoundError);
    });

    it('tells what a user holds under an id that was given out: one upload, or the content as such', async () => {
      const [userId, other] = [`user-${randomUUID()}`, `user-${randomUUID()}`];
      const { fileId, copyId } = await stored(on.ledger);
      const [uploadId, second] = [randomUUID(), randomUUID()];
      expect(await on.ledger.givenId(uploadId, userId)).toBeNull();
      for (const own of [uploadId, second]) await on.ledger.addReference(fileId, reference({ userId, uploadId: own }));
      await on.ledger.addReference(fileId, reference({ userId, legacyId: 'old/1' }));
      const file = await on.ledger.file(fileId);
      for (const id of [uploadId, uploadId.toUpperCase()])
        expect(await on.ledger.givenId(id, userId)).toMatchObject({ file, held: [{ uploadId, userId }], ours: true });
      expect(await on.ledger.givenId(uploadId, other)).toMatchObject({ held: [], ours: true });
      expect(await on.ledger.givenId(uploadId, null)).toMatchObject({ held: [], ours: true });
      expect(await on.ledger.givenId(fileId, userId)).toMatchObject({ file, held: [], ours: true });
      for (const name of ['a.txt', 'b.txt']) {
        await on.ledger.addReference(fileId, reference({ userId, name }));
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      expect(await on.ledger.givenId(fileId, userId)).toMatchObject({ held: [{ name: 'a.txt' }, { name: 'b.txt' }] });

      const listed = await on.ledger.listHeldBy(userId, { after: null, limit: 10 });
      expect(listed.map(({ id }) => id).sort()).toEqual([fileId, fileId, uploadId, second].sort());
      expect(listed.every((held) => held.fileId === fileId)).toBe(true);
      const [own] = (await on.ledger.givenId(uploadId, userId))?.held ?? [];
      await on.ledger.deleteReference(own?.id ?? '');
      expect(await on.ledger.givenId(uploadId, userId)).toMatchObject({ held: [], ours: true });
      await on.ledger.invalidate(copyId, 'gone');
      expect(await on.ledger.givenId(fileId, userId)).toMatchObject({ ours: false });
      expect(await on.ledger.givenId(second, userId)).toMatchObject({ held: [{ uploadId: second }], ours: true });
    });

    it('lists what a user holds, under their own names, page by page, and nobody else', async () => {
      const userId = `user-${randomUUID()}`;
      const { fileId } = await stored(on.ledger);
      const { fileId: second } = await stored(on.ledger);
      const { fileId: deleted } = await stored(on.ledger);
      for (const [id, name] of [
        [fileId, 'a.txt'],
        [fileId, 'b.txt'],
        [second, 'c.txt'],
      ] as const)
        await on.ledger.addReference(id, reference({ userId, name }));
      const { id: gone } = await on.ledger.addReference(deleted, reference({ userId, name: 'gone.txt', keep: 'expire' }));
      await on.ledger.deleteReference(gone);
      await on.ledger.addReference(second, reference({ userId: `user-${randomUUID()}`, name: 'theirs.txt' }));
      const first = await on.ledger.listHeldBy(userId, { after: null, limit: 2 });
      const rest = await on.ledger.listHeldBy(userId, { after: first.at(-1)?.referenceId ?? null, limit: 2 });
      expect([...first, ...rest].map(({ name }) => name).sort()).toEqual(['a.txt', 'b.txt', 'c.txt']);
      expect(rest[0]).toMatchObject({ sizeBytes: expect.any(Number), sha256: expect.any(String) });
    });

    it('lists live files page by page, in the order of their ids, each once, also past 1,000', async () => {
      const ids: string[] = [];
      for (let batch = 0; batch < 21; batch++)
        ids.push(...(await Promise.all(Array.from({ length: 50 }, async () => (await stored(on.ledger)).fileId))));
      const { fileId: deleted } = await stored(on.ledger);
      await on.ledger.softDelete(deleted, 'expired');
      const { fileId: shadow } = await stored(on.ledger, { namespace: 'shadow' });
      const [first] = ids as [string];
      await on.ledger.addReference(first, reference());

      for (const limit of [5000, 333]) {
        const listed = [];
        for (let after: string | null = null; ; ) {
          const page = await on.ledger.list({ after, limit });
          expect(page.length).toBeLessThanOrEqual(limit);
          listed.push(...page);
          after = page.at(-1)?.id ?? null;
          if (page.length < limit) break;
        }
        const listedIds = listed.map(({ id }) => id);
        expect(listedIds).toEqual([...new Set(listedIds)].sort());
        expect(listedIds).toEqual(expect.arrayContaining(ids));
        expect(listedIds).not.toContain(deleted);
        expect(listedIds).not.toContain(shadow);
        expect(listed.find(({ id }) => id === first)).toMatchObject({
          names: ['report.txt'],
          references: 1,
          copies: [{ provider: 'supabase', status: 'completed' }],
        });
      }
    });
  });

  describe('the report of a migration', () => {
    const item = (path: string, change: Partial<MigrationItem> = {}): MigrationItem => ({
      ...{ path, sizeBytes: 3, status: 'uploaded', sha256: contentOf(path).sha256, fileId: randomUUID(), providerFileId: 'object' },
      ...{ verified: 'stored', errorCode: null, error: null, sourceProvider: null, sourceId: null },
      ...change,
    });

    it('is read in the byte order of its paths, whatever they contain', async () => {
      const migration = randomUUID();
      const paths = [
        'a',
        'B',
        'b',
        'é',
        'a\nb',
        'a b',
        "a'b",
        'a"b,c',
        '\u{FFEE}',
        '\u{1F600}',
        'a/b',
        'x'.repeat(1500),
        randomBytes(2048).toString('hex'),
      ];
      await on.ledger.recordMigrationItems(
        migration,
        paths.map((path) => item(path)),
      );
      const sorted = [...paths].sort((a, b) => Buffer.from(a).compare(Buffer.from(b)));
      const read: string[] = [];
      for (let after: string | null = null; ; ) {
        const page = await on.ledger.migrationItems(migration, { after, limit: 5 });
        read.push(...page.map(({ path }) => path));
        after = page.at(-1)?.path ?? null;
        if (page.length < 5) break;
      }
      expect(read).toEqual(sorted);
    });

    it('has one row for each path, the last one said, also when it is said twice at once', async () => {
      const migration = randomUUID();
      const failed = item('a', {
        status: 'failed',
        sha256: null,
        fileId: null,
        providerFileId: null,
        errorCode: 'gone',
        error: 'it went',
      });
      await on.ledger.recordMigrationItems(migration, [item('a'), item('b'), failed]);
      await Promise.all(Array.from({ length: 5 }, () => on.ledger.recordMigrationItems(migration, [item('c'), item('b')])));
      const all = await on.ledger.migrationItems(migration, { after: null, limit: 10 });
      expect(all.map(({ path }) => path)).toEqual(['a', 'b', 'c']);
      expect(all[0]).toEqual(failed);
      expect(await on.ledger.migrationItems(migration, { after: null, limit: 10, status: 'failed' })).toEqual([failed]);
      expect(await on.ledger.migrationItems(randomUUID(), { after: null, limit: 10 })).toEqual([]);
    });

    it('takes thousands at once and gives more than 1,000 in a page', async () => {
      const migration = randomUUID();
      const items = Array.from({ length: 3000 }, (_, index) => item(`folder/${String(index).padStart(5, '0')}`));
      await on.ledger.recordMigrationItems(migration, items);
      expect(await on.ledger.migrationItems(migration, { after: null, limit: 2500 })).toEqual(items.slice(0, 2500));
      expect(await on.ledger.migrationItems(migration, { after: items[2499]?.path ?? null, limit: 2500 })).toEqual(items.slice(2500));
    });

    it('is nothing for nothing', async () => {
      await expect(on.ledger.recordMigrationItems(randomUUID(), [])).resolves.toBeUndefined();
    });
  });
}
