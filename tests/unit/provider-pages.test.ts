import { expect, test } from 'vitest';
import { eachPage } from '../../src/providers/marked-vendor.ts';
import { type StoredPage, storedObjectOf } from '../../src/providers/provider.ts';

const objects = (...ids: string[]) => ids.map((id) => storedObjectOf({ id, sizeBytes: 1 }));
async function idsOf(pageAt: (after: string | null) => StoredPage): Promise<string[]> {
  const ids: string[] = [];
  for await (const page of eachPage(null, async (after) => pageAt(after))) ids.push(...page.objects.map(({ id }) => id));
  return ids;
}

test('pages are followed to the end', async () => {
  const pages: Record<string, StoredPage> = {
    null: { objects: objects('a', 'b'), next: '1' },
    1: { objects: [], next: '2' },
    2: { objects: objects('c'), next: null },
  };
  expect(await idsOf((after) => pages[String(after)] as StoredPage)).toEqual(['a', 'b', 'c']);
});

test('an object that two pages have is given once', async () => {
  const pages: Record<string, StoredPage> = {
    null: { objects: objects('a', 'b'), next: 'b' },
    b: { objects: objects('b', 'c'), next: null },
  };
  expect(await idsOf((after) => pages[String(after)] as StoredPage)).toEqual(['a', 'b', 'c']);
});

test.each<[string, (asked: number) => string]>([
  ['repeats its place', () => 'same'],
  ['makes up a new place each time', (asked) => `place ${asked}`],
])('a server that ignores where to go on from and %s comes to an end', async (_, next) => {
  let asked = 0;
  const ids = await idsOf(() => {
    asked += 1;
    expect(asked).toBeLessThan(20);
    return { objects: objects('a', 'b'), next: next(asked) };
  });
  expect(ids).toEqual(['a', 'b']);
});
