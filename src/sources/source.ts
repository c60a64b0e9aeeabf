import type { SourceItem } from '../domain/migration-item.ts';

export interface SourcePage {
  items: SourceItem[];
  /** Hand this in to get the next page; null after the last. */
  next: string | null;
}

/** A page is a payload of Temporal, of 2 MB at the most: it ends early where names are long. */
const PAGE_CHARACTERS = 256 * 1024;

const ITEMS = 500;

/** Collects a page; `add` says whether it is full now. */
export function startPage(limit: number) {
  const items: SourceItem[] = [];
  let characters = 0;
  return {
    items,
    add(item: SourceItem): boolean {
      items.push(item);
      characters += item.path.length + JSON.stringify(item.source ?? '').length + JSON.stringify(item.reference ?? '').length;
      return items.length >= limit || characters >= PAGE_CHARACTERS;
    },
  };
}

/** Where a migration's files come from. Listing is stateless: any worker can go on from a cursor. */
export interface Source {
  /** Throws a ValidationError that says what is wrong with the source and what to do. */
  check(signal?: AbortSignal): Promise<void>;
  page(cursor: string | null, limit: number, signal?: AbortSignal): Promise<SourcePage>;
}

/** Every item of a source, page by page. @throws the signal's reason when it comes first. */
export async function* sourceItems(source: Source, signal: AbortSignal) {
  let cursor: string | null = null;
  do {
    signal.throwIfAborted();
    const page: Awaited<ReturnType<Source['page']>> = await source.page(cursor, ITEMS, signal);
    yield* page.items;
    cursor = page.next;
  } while (cursor !== null);
}
