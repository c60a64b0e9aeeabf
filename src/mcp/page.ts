/** Four bytes count as one token. */
const BYTES_PER_TOKEN = 4;
/** What is said beside a list. */
const AROUND_BYTES = 500;

export const bytesOfTokens = (tokens: number): number => tokens * BYTES_PER_TOKEN;

export interface ListPage<T> {
  items: T[];
  /** Hand this in as `cursor` to go on behind this page; null: nothing follows. */
  next: string | null;
}

export interface PageOptions<T> {
  /** What the last item of a page is known by. */
  keyOf: (item: T) => string;
  maxTokens: number;
  limit?: number | undefined;
}

/** The items that an answer has room for, and at least one, so that each page goes on. */
export async function pageOf<T>(
  items: AsyncIterable<T> | Iterable<T>,
  { keyOf, maxTokens, limit = Number.POSITIVE_INFINITY }: PageOptions<T>,
): Promise<ListPage<T>> {
  const page: T[] = [];
  let left = bytesOfTokens(maxTokens) - AROUND_BYTES;
  for await (const item of items) {
    left -= Buffer.byteLength(JSON.stringify(item)) + 1;
    const last = page.at(-1);
    if (last !== undefined && (left < 0 || page.length >= limit)) return { items: page, next: keyOf(last) };
    page.push(item);
  }
  return { items: page, next: null };
}

/** Of a list that is had as a whole: what comes behind the item of this key. One that has gone meanwhile: nothing is left out. */
export function behind<T>(items: readonly T[], keyOf: (item: T) => string, cursor: string | undefined): readonly T[] {
  return cursor === undefined ? items : items.slice(items.findIndex((item) => keyOf(item) === cursor) + 1);
}

/** What people, and models that are given no data, are told of what follows. */
export const moreLine = (next: string | null): string[] =>
  next === null ? [] : [`There is more: go on with cursor ${JSON.stringify(next)}`];
