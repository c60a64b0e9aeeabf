import { describe, expect, test } from 'vitest';
import { UploadError } from '../../src/domain/errors.ts';
import { eachPage } from '../../src/providers/marked-vendor.ts';
import { LIST_LIMIT, pageBehind, storedFile, type WireFile, type WirePage } from '../../src/providers/openai-shape.ts';

/** So many files, a few in each second. */
const account = (files: number, eachSecond: number): WireFile[] =>
  Array.from({ length: files }, (_, index) => ({ id: `file-${index}`, bytes: index, created_at: 1 + Math.floor(index / eachSecond) }));

type List = (after: string | null) => WirePage;

/** Every id that a server's pages give, in order. */
async function listed(list: List, from: string | null = null): Promise<{ ids: string[]; requests: number; places: (string | null)[] }> {
  let requests = 0;
  const ids: string[] = [];
  const places: (string | null)[] = [];
  const fetchPage = async (after: string | null) => {
    requests += 1;
    if (requests > 100) throw new Error('it never ends');
    return list(after);
  };
  for await (const { objects, next } of eachPage(from, (place) => pageBehind(place, fetchPage))) {
    ids.push(...objects.map(({ id }) => id));
    places.push(next);
  }
  return { ids, requests, places };
}

const idsOf = (files: WireFile[]) => files.map(({ id }) => id);
const behind = (files: WireFile[], after: string | null) => files.slice(after === null ? 0 : files.findIndex(({ id }) => id === after) + 1);
const cut = (files: WireFile[]): WirePage => ({ data: files.slice(0, LIST_LIMIT), has_more: files.length > LIST_LIMIT });

describe('a listing in the shape of OpenAI', () => {
  const files = account(350, 30);
  const servers: [string, List][] = [
    ['does as documented', (after) => cut(behind(files, after))],
    ['gives the newest first', (after) => cut(behind(files.toReversed(), after))],
    ['ignores the limit', (after) => ({ data: behind(files, after), has_more: false })],
    ['ignores the place, too', () => ({ data: files, has_more: false })],
    ['ignores both, and says that more follows', () => ({ data: files, has_more: true })],
    ['does not say whether more follows', (after) => ({ data: behind(files, after).slice(0, LIST_LIMIT) })],
    [
      'goes on by the second, and so loses what else came in it',
      (after) => {
        const second = files.find(({ id }) => id === after)?.created_at ?? 0;
        return cut(files.filter(({ created_at }) => (created_at ?? 0) > second));
      },
    ],
  ];
  test.each(servers)('has every file once where the server %s', async (_, list) => {
    const { ids } = await listed(list);
    expect(ids.toSorted()).toEqual(idsOf(files).toSorted());
  });

  test.each(servers)('goes on from any page where the server %s', async (_, list) => {
    const { ids, places } = await listed(list);
    const first = places[0] ?? null;
    if (first === null) return;
    expect((await listed(list, first)).ids).toEqual(ids.slice(ids.indexOf(first.split(' ')[1] ?? '') + 1));
  });

  test('has every file where more came in one second than a page holds', async () => {
    const burst = account(350, 250);
    expect((await listed((after) => cut(behind(burst, after)))).ids).toEqual(idsOf(burst));
  });

  test('goes on behind a file that is deleted meanwhile, where the server knows its place no more', async () => {
    const left = [...files];
    const list = (after: string | null) => {
      if (after !== null && !left.some(({ id }) => id === after))
        throw new UploadError('no such file', { code: 'not_found', provider: 'openai' });
      const page = cut(behind(left, after));
      const end = left.findIndex(({ id }) => id === page.data.at(-1)?.id);
      if (end > 0 && end < left.length - 1) left.splice(end, 1);
      return page;
    };
    const { ids } = await listed(list);
    expect(ids.toSorted()).toEqual(expect.arrayContaining(idsOf(left)));
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('ends where a server gives the same page again and again', async () => {
    const { ids, requests } = await listed(() => ({ data: files.slice(0, LIST_LIMIT), has_more: true }));
    expect(ids).toEqual(idsOf(files.slice(0, LIST_LIMIT)));
    expect(requests).toBeLessThan(10);
  });

  test('asks about as often as there are pages', async () => {
    const { requests } = await listed((after) => cut(behind(files, after)));
    expect(requests).toBeLessThanOrEqual(7);
  });
});

describe('a file in the shape of OpenAI', () => {
  test('expires when it says so, else when its vendor drops it', () => {
    const file = { id: 'a', bytes: 1, created_at: 1000 };
    expect(storedFile(file).expiresAt).toBeNull();
    expect(storedFile(file, 60).expiresAt).toBe('1970-01-01T00:17:40.000Z');
    expect(storedFile({ ...file, expires_at: 1001 }, 60).expiresAt).toBe('1970-01-01T00:16:41.000Z');
  });

  test.each([1e18, Number.NaN, -5, 0, 'soon' as unknown as number])('is without a time where %s is said to be one', (created_at) => {
    expect(storedFile({ id: 'a', bytes: 1, created_at }, 60)).toMatchObject({ createdAt: null, expiresAt: null });
  });

  test('may be without a time, a name, a size', () => {
    expect(storedFile({ id: 'a', created_at: 0 })).toMatchObject({ id: 'a', createdAt: null, name: null, sizeBytes: Number.NaN });
  });
});
