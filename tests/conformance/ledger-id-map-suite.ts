import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { MigrationItem } from '../../src/domain/models.ts';
import type { IdMapping, Ledger } from '../../src/ledger/ledger.ts';
import { contentOf, stored, won } from './ledger-samples.ts';

/** Where things that moved are now. */
export function describeIdMap(on: { ledger: Ledger }): void {
  const item = (path: string, change: Partial<MigrationItem> = {}): MigrationItem => ({
    ...{ path, sizeBytes: 3, status: 'uploaded', sha256: contentOf(path).sha256, fileId: randomUUID(), providerFileId: 'object' },
    ...{ verified: 'stored', errorCode: null, error: null, sourceProvider: null, sourceId: null },
    ...change,
  });
  async function all(options: { migrationId?: string; limit: number }): Promise<(IdMapping & { cursor: string })[]> {
    const rows = [];
    for (let after: string | null = null; ; ) {
      const page: (IdMapping & { cursor: string })[] = await on.ledger.idMap({ ...options, after });
      rows.push(...page);
      after = page.at(-1)?.cursor ?? null;
      if (page.length < options.limit) return rows;
    }
  }

  describe('the id map', () => {
    it('leads from what a file was called to the id that works now, for those that arrived', async () => {
      const migration = randomUUID();
      const { fileId, objectId, request } = await stored(on.ledger, { provider: 's3' });
      const there = { fileId, providerFileId: objectId, sha256: request.content.sha256 };
      await on.ledger.recordMigrationItems(migration, [
        item('a', there),
        item('b', { ...there, status: 'deduplicated', sourceProvider: 'kimi', sourceId: `kimi-${migration}` }),
        item('c', { ...there, status: 'failed' }),
        item('d', { ...there, status: 'skipped' }),
        item('e', { ...there, fileId: null }),
      ]);
      const now = { ...there, migrationId: migration, provider: 's3', sizeBytes: 3, recordedAt: expect.any(String) };
      const rows = await all({ migrationId: migration, limit: 100 });
      const [{ recordedAt } = { recordedAt: '' }] = rows;
      expect(Math.abs(Date.parse(recordedAt) - Date.now())).toBeLessThan(60_000);
      expect(rows.map(({ cursor: _, ...row }) => ({ ...row, recordedAt }))).toEqual([
        { ...now, oldId: 'a', path: 'a', sourceProvider: null },
        { ...now, oldId: `kimi-${migration}`, path: 'b', sourceProvider: 'kimi' },
      ]);
      expect(await on.ledger.resolveId(`kimi-${migration}`)).toEqual({
        ...{ ...now, oldId: `kimi-${migration}`, path: 'b', sourceProvider: 'kimi' },
      });
    });

    it('gives the source of an item back with the report', async () => {
      const migration = randomUUID();
      const from = item('a', { sourceProvider: 'kimi', sourceId: 'file-1' });
      await on.ledger.recordMigrationItems(migration, [from]);
      expect(await on.ledger.migrationItems(migration, { after: null, limit: 10 })).toEqual([from]);
    });

    it('follows the copy: none while it is gone, the new id once it was sent again', async () => {
      const migration = randomUUID();
      const name = `old-${migration}`;
      const { fileId, copyId, objectId, request } = await stored(on.ledger, { provider: 'gemini' });
      await stored(on.ledger, { ...request, provider: 'other' }, 'elsewhere');
      await on.ledger.recordMigrationItems(migration, [item(name, { fileId, providerFileId: objectId })]);
      expect(await on.ledger.resolveId(name)).toMatchObject({ provider: 'gemini', providerFileId: objectId });

      await on.ledger.invalidate(copyId, 'object_missing');
      expect(await on.ledger.resolveId(name)).toMatchObject({ fileId, provider: 'gemini', providerFileId: null });
      await won(on.ledger, request);
      await on.ledger.complete(copyId, request.owner, 'dropped already', new Date(Date.now() - 1000).toISOString());
      expect(await on.ledger.resolveId(name)).toMatchObject({ provider: 'gemini', providerFileId: null });

      await won(on.ledger, request);
      await on.ledger.complete(copyId, request.owner, 'sent again');
      expect(await on.ledger.resolveId(name)).toMatchObject({ provider: 'gemini', providerFileId: 'sent again' });
      await on.ledger.softDelete(fileId, 'asked for');
      expect(await on.ledger.resolveId(name)).toMatchObject({ provider: 'gemini', providerFileId: null });
    });

    it('knows the storage to which a content went from one that calls it the same', async () => {
      const migration = randomUUID();
      const { fileId, objectId, request } = await stored(on.ledger, { provider: 'supabase' });
      await stored(on.ledger, { ...request, provider: 's3' }, objectId);
      const moved = { fileId, providerFileId: objectId };
      await on.ledger.recordMigrationItems(migration, [
        item(`${migration}-there`, { ...moved, sourceProvider: 'supabase', sourceId: `${migration}-there` }),
        item(`${migration}-back`, { ...moved, sourceProvider: 's3', sourceId: `${migration}-back` }),
      ]);
      expect(await on.ledger.resolveId(`${migration}-there`)).toMatchObject({ provider: 's3' });
      expect(await on.ledger.resolveId(`${migration}-back`)).toMatchObject({ provider: 'supabase' });
    });

    it('answers for the newest migration that moved an id, and null for one that nobody moved', async () => {
      const name = `${randomUUID()} "ü"\n`;
      const [first, second] = [await stored(on.ledger), await stored(on.ledger)];
      const [older, newer] = [`b-${randomUUID()}`, `a-${randomUUID()}`];
      await on.ledger.recordMigrationItems(older, [item(name, { fileId: first.fileId, providerFileId: first.objectId })]);
      await on.ledger.recordMigrationItems(newer, [item(name, { fileId: second.fileId, providerFileId: second.objectId })]);
      expect(await on.ledger.resolveId(name)).toMatchObject({ migrationId: newer, fileId: second.fileId });
      expect(await on.ledger.resolveId(`${name} no`)).toBeNull();
    });

    it('comes page by page in the byte order of old ids, each item once, whatever they are called', async () => {
      const [one, two] = [randomUUID(), randomUUID()];
      const { fileId, objectId } = await stored(on.ledger);
      const names = ['a', 'B', 'b', 'é', 'a\nb', 'a b', "a'b", 'a"b,c', '\u{FFEE}', '\u{1F600}', 'a/b', '[1]', 'x'.repeat(1500)];
      const arrived = { fileId, providerFileId: objectId };
      for (const migration of [one, two])
        await on.ledger.recordMigrationItems(migration, [
          ...names.map((name) => item(name, arrived)),
          ...names.map((name) => item(`again ${name}`, { ...arrived, sourceId: name })),
        ]);
      const sorted = names.flatMap((name) => [name, name]).sort((a, b) => Buffer.from(a).compare(Buffer.from(b)));
      for (const limit of [1000, 5, 1]) {
        const rows = await all({ migrationId: one, limit });
        expect(rows.map(({ oldId }) => oldId)).toEqual(sorted);
        expect(new Set(rows.map(({ path }) => path)).size).toBe(sorted.length);
      }
      const everything = (await all({ limit: 99 })).filter(({ migrationId }) => migrationId === one || migrationId === two);
      expect(everything.map(({ migrationId, oldId }) => [migrationId, oldId])).toEqual(
        [one, two].sort().flatMap((migration) => sorted.map((name) => [migration, name])),
      );
    });

    it('has more than 1,000 in a page, and nothing of a migration that is not known', async () => {
      const migration = randomUUID();
      const { fileId, objectId } = await stored(on.ledger);
      const names = Array.from({ length: 1500 }, (_, index) => `folder/${String(index).padStart(5, '0')}`);
      const items = names.map((name) => item(name, { fileId, providerFileId: objectId }));
      await on.ledger.recordMigrationItems(migration, items);
      const page = await on.ledger.idMap({ migrationId: migration, after: null, limit: 2000 });
      expect(page.map(({ oldId, providerFileId }) => [oldId, providerFileId])).toEqual(names.map((name) => [name, objectId]));
      expect(await all({ migrationId: randomUUID(), limit: 10 })).toEqual([]);
    });
  });
}
