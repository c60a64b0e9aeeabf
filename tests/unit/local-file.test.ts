import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hashFile, readFileChunks } from '../../src/sources/local-file.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cutover-local-file-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sourceOf = (bytes: Uint8Array) => {
  const path = join(folder, 'file');
  writeFileSync(path, bytes);
  return { kind: 'path' as const, path, sizeBytes: bytes.length, modifiedMs: 0 };
};
const signal = new AbortController().signal;
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(Buffer.from(chunk));
  return Buffer.concat(all);
}
const pattern = randomBytes(4 << 20);
/** Sizes around the borders of the buffers. */
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 2_000 }),
  fc.constantFrom(256 * 1024 - 1, 256 * 1024, 1 << 20, (1 << 20) + 1, 3 * (1 << 20) + 17).map((size) => pattern.subarray(0, size)),
);

describe('a local file', () => {
  test('hashes to what all its bytes at once hash to, whatever its size and whatever size was listed', async () => {
    await fc.assert(
      fc.asyncProperty(bytes, fc.option(fc.nat(5_000_000)), async (content, listed) => {
        const source = sourceOf(content);
        const found = await hashFile({ ...source, sizeBytes: listed ?? source.sizeBytes }, { signal });
        expect(found).toEqual({ sha256: sha256(content), sizeBytes: content.length });
      }),
      { numRuns: 60 },
    );
  });

  test('is read in chunks that together are the file, from any offset', async () => {
    await fc.assert(
      fc.asyncProperty(bytes, fc.nat(), async (content, at) => {
        const offset = content.length === 0 ? 0 : at % (content.length + 1);
        const { path, sizeBytes } = sourceOf(content);
        const read = await collect(readFileChunks(path, sizeBytes, offset, signal));
        expect(read.equals(content.subarray(offset))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test('that grew or shrank since it was hashed is not sent', async () => {
    const { path, sizeBytes } = sourceOf(new Uint8Array(1_000));
    appendFileSync(path, 'more');
    await expect(collect(readFileChunks(path, sizeBytes, 0, signal))).rejects.toMatchObject({ code: 'file_changed' });
    truncateSync(path, 10);
    await expect(collect(readFileChunks(path, sizeBytes, 0, signal))).rejects.toMatchObject({ code: 'file_changed' });
  });

  test('that is gone, or a folder, is named in the error', async () => {
    const gone = { kind: 'path' as const, path: join(folder, 'gone'), sizeBytes: 1, modifiedMs: 0 };
    await expect(hashFile(gone, { signal })).rejects.toMatchObject({ code: 'file_vanished', message: expect.stringContaining('gone') });
    await expect(hashFile({ ...gone, path: folder }, { signal })).rejects.toMatchObject({ code: 'is_a_folder' });
  });

  test('stops being read when the signal says so', async () => {
    const source = sourceOf(new Uint8Array(3 << 20));
    const controller = new AbortController();
    const reason = new Error('stop');
    await expect(hashFile(source, { signal: controller.signal, onProgress: () => controller.abort(reason) })).rejects.toBe(reason);
  });
});
