import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { storageCapabilities } from '../../src/domain/capabilities.ts';
import type { SourceItem } from '../../src/domain/migration-item.ts';
import { type Provider, type StoredObject, type StoredPage, storedObjectOf } from '../../src/providers/provider.ts';
import { providerSource } from '../../src/sources/provider-source.ts';
import { refuseMigration } from '../../src/sources/refuse-migration.ts';
import type { Source } from '../../src/sources/source.ts';
import { createMemoryProvider } from '../support/memory-provider.ts';

/** A vendor whose pages have this many objects; `objects` may change while it is listed. */
function vendor(objects: StoredObject[], pageSize: number, over: Partial<Provider> = {}): Provider {
  return {
    ...createMemoryProvider({ name: 'vendor' }),
    idOf: () => null,
    async *list({ after }): AsyncGenerator<StoredPage> {
      const first = after === null || after === undefined ? 0 : objects.findIndex(({ id }) => id === after) + 1;
      for (let at = first; at < objects.length; at += pageSize) {
        const page = objects.slice(at, at + pageSize);
        yield { objects: page, next: at + pageSize < objects.length ? (page.at(-1)?.id ?? null) : null };
      }
    },
    ...over,
  };
}
const named = (count: number) =>
  Array.from({ length: count }, (_, at) => storedObjectOf({ id: `file-${at}`, sizeBytes: at, name: 'the same.pdf' }));
async function all(source: Source, limit: number, between?: (pages: number) => void): Promise<SourceItem[]> {
  const items: SourceItem[] = [];
  let cursor: string | null = null;
  for (let pages = 1; ; pages += 1) {
    const page = await source.page(cursor, limit);
    expect(page.items.length).toBeLessThanOrEqual(limit);
    items.push(...page.items);
    if (page.next === null) return items;
    cursor = page.next;
    between?.(pages);
  }
}
const idsOf = (items: SourceItem[]) => items.map(({ source }) => (source?.kind === 'object' ? source.id : null));

describe('a provider as a source', () => {
  test('is listed once and whole, whatever the size of its pages and of ours', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(40), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), async (count, pageSize, limit) => {
        const objects = named(count);
        const items = await all(providerSource(vendor(objects, pageSize), null), limit);
        expect(idsOf(items)).toEqual(objects.map(({ id }) => id));
        expect(new Set(items.map(({ path }) => path)).size).toBe(count);
        expect(new Set(items.map(({ key }) => key)).size).toBe(count);
      }),
      { numRuns: 60 },
    );
  });

  test('passes no object over when the one that came last is deleted meanwhile', async () => {
    const objects = named(10);
    const items = await all(providerSource(vendor(objects, 10), null), 4, (pages) => {
      if (pages === 1) objects.splice(3, 1);
    });
    expect([...new Set(idsOf(items))].sort()).toEqual(named(10).map(({ id }) => id));
  });

  test('with long names comes in pages that Temporal can carry', async () => {
    const objects = named(600).map((object) => ({ ...object, name: 'n'.repeat(1000) }));
    const { items, next } = await providerSource(vendor(objects, 600), null).page(null, 600);
    expect(JSON.stringify(items).length).toBeLessThan(1_000_000);
    expect([items.length < 600, next !== null]).toEqual([true, true]);
  });

  test('that is a vendor shows the name without our marker and the id, so that the report can be read and each path is one file', async () => {
    const marked = storedObjectOf({
      ...{ id: 'file-1', sizeBytes: 3, mimeType: 'application/pdf' },
      name: 'a report.cutover-00000000-0000-4000-8000-000000000000.pdf',
    });
    const nameless = storedObjectOf({ id: 'file-2', sizeBytes: 3 });
    const [first, second] = await all(providerSource(vendor([marked, nameless], 10), null), 10);
    expect(first).toMatchObject({
      path: 'a report.pdf (file-1)',
      reference: { name: 'a report.pdf' },
      source: { kind: 'object', provider: 'vendor', id: 'file-1', name: 'a report.pdf', mimeType: 'application/pdf' },
    });
    expect(second).toMatchObject({ path: 'file-2 (file-2)', source: { name: 'file-2' } });
  });

  test('that is a storage shows ids as paths, and a bucket alone is not the beginning of another', async () => {
    const storage = createMemoryProvider();
    for (const id of ['memory/a/b.txt', 'memory/a/c', 'memory-2/x'])
      storage.objects.set(id, { bytes: Buffer.from(id), mimeType: 'text/plain', createdAt: '' });
    expect((await all(providerSource(storage, 'memory'), 10)).map(({ path }) => path)).toEqual(['memory/a/b.txt', 'memory/a/c']);
    expect(idsOf(await all(providerSource(storage, 'memory/a/b'), 10))).toEqual(['memory/a/b.txt']);
  });

  test('marks what is not given back: as the object says, else as its purpose says', async () => {
    const limits = { maxFileBytes: 9, extensions: null, maxFiles: null, uses: ['storage'] } as const;
    const purposes = { kept: { ...limits, downloads: true }, eaten: { ...limits, downloads: false } };
    const objects = [
      storedObjectOf({ id: '1', sizeBytes: 1, purpose: 'kept' }),
      storedObjectOf({ id: '2', sizeBytes: 1, purpose: 'eaten' }),
      storedObjectOf({ id: '3', sizeBytes: 1, purpose: 'eaten', downloadable: true }),
    ];
    const source = providerSource(vendor(objects, 10, { capabilities: { ...storageCapabilities(9), downloads: false, purposes } }), null);
    expect((await all(source, 10)).map(({ givenBack }) => givenBack ?? true)).toEqual([true, false, true]);
  });

  test('that holds nothing is refused by its name', async () => {
    await expect(providerSource(vendor([], 5), null).check()).rejects.toMatchObject({
      code: 'source_empty',
      message: /provider:vendor holds/,
    });
    await expect(providerSource(createMemoryProvider(), 'gone/x').check()).rejects.toThrow(/provider:memory\/gone\/x holds no files/);
    await expect(providerSource(vendor(named(1), 5), null).check()).resolves.toBeUndefined();
  });
});

describe('a migration', () => {
  const storage = createMemoryProvider();
  const eater = vendor([], 5, { capabilities: { ...storageCapabilities(9), downloads: false } });
  const provider = (name: string) => (name === 'vendor' ? eater : storage);
  const from = (name: string, under: string | null = null) => ({ kind: 'provider', provider: name, under }) as const;

  test('from a place to itself is refused, from another bucket of the same storage it is not', () => {
    const code = { code: 'same_place' };
    expect(() => refuseMigration({ source: from('vendor'), provider: 'vendor' }, provider)).toThrow(expect.objectContaining(code));
    for (const under of [null, 'memory', 'memory/folder/'])
      expect(() => refuseMigration({ source: from('memory', under), provider: 'memory' }, provider)).toThrow(expect.objectContaining(code));
    refuseMigration({ source: from('memory', 'memory-2/'), provider: 'memory' }, provider);
    refuseMigration({ source: from('vendor'), provider: 'memory' }, provider);
  });

  test('that is to be verified by reading back is refused where nothing is given back', () => {
    const migration = { source: { kind: 'folder', root: '/f' }, provider: 'vendor' } as const;
    expect(() => refuseMigration({ ...migration, verify: 'download' }, provider)).toThrow(
      /vendor does not give files back: use --verify=stored/,
    );
    refuseMigration({ ...migration, verify: 'stored' }, provider);
  });
});
