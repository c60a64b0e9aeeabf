import type { Source } from '../sources/source.ts';
import type { Expected } from './progress.ts';

const PAGE = 500;

/** Every item of a source, page by page. @throws the signal's reason when it comes first. */
export async function* sourceItems(source: Source, signal: AbortSignal) {
  let cursor: string | null = null;
  do {
    signal.throwIfAborted();
    const page: Awaited<ReturnType<Source['page']>> = await source.page(cursor, PAGE, signal);
    yield* page.items;
    cursor = page.next;
  } while (cursor !== null);
}

/** What a source holds now. */
export async function countSource(source: Source, signal: AbortSignal): Promise<Expected> {
  const counted = { files: 0, bytes: 0 };
  for await (const { sizeBytes } of sourceItems(source, signal)) {
    counted.files += 1;
    counted.bytes += sizeBytes;
  }
  return counted;
}
