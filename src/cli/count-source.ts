import type { Expected } from '../domain/migration-line.ts';
import { type Source, sourceItems } from '../sources/source.ts';

/** What a source holds now. */
export async function countSource(source: Source, signal: AbortSignal): Promise<Expected> {
  const counted = { files: 0, bytes: 0 };
  for await (const { sizeBytes } of sourceItems(source, signal)) {
    counted.files += 1;
    counted.bytes += sizeBytes;
  }
  return counted;
}
