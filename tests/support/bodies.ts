import { createHash, randomUUID } from 'node:crypto';
import type { UploadBody, UploadRequest } from '../../src/providers/provider.ts';

export const MIB = 1024 * 1024;

/** Bytes that follow from seed and size alone, made while they are read; no two blocks of 64 KiB are the same. */
export function* pattern(sizeBytes: number, seed: number, offset = 0): Generator<Buffer> {
  const block = 65_536;
  for (let first = offset - (offset % block); first < sizeBytes; first += block) {
    const chunk = Buffer.alloc(Math.min(block, sizeBytes - first), seed & 0xff);
    if (chunk.length >= 12) {
      chunk.writeUInt32LE(seed, 0);
      chunk.writeDoubleLE(first, 4);
    } else chunk.fill(`${seed}`, 0);
    yield chunk.subarray(Math.max(0, offset - first));
  }
}

export function sha256Of(chunks: Iterable<Uint8Array>): string {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
}

export interface CountedBody extends UploadBody {
  /** The offsets at which it was opened. */
  readonly opened: number[];
  readonly bytesRead: number;
}

/** A body of `pattern`. `actualBytes` makes it shorter or longer than it says. */
export function patternBody(sizeBytes: number, seed: number, actualBytes = sizeBytes): CountedBody {
  const opened: number[] = [];
  let bytesRead = 0;
  return {
    sizeBytes,
    opened,
    get bytesRead() {
      return bytesRead;
    },
    async *open(offset) {
      opened.push(offset);
      for (const chunk of pattern(actualBytes, seed, offset)) {
        bytesRead += chunk.length;
        yield chunk;
      }
    },
  };
}

let nextSeed = Date.now() % 1_000_000_000;
/** A seed that no earlier test used, so that its content is new to the storage. */
export const freshSeed = () => nextSeed++;

/** All that an upload needs, for a content made of size and seed. */
export function uploadOf(sizeBytes: number, seed: number, more: Partial<UploadRequest> = {}): UploadRequest {
  return {
    body: patternBody(sizeBytes, seed),
    sha256: sha256Of(pattern(sizeBytes, seed)),
    mimeType: 'application/octet-stream',
    purpose: 'storage',
    name: 'file.bin',
    marker: randomUUID(),
    retried: false,
    namespace: 'live',
    signal: new AbortController().signal,
    ...more,
  };
}

/** Length and SHA-256 of a stream, in constant memory. */
export async function drain(chunks: AsyncIterable<Uint8Array>): Promise<{ sizeBytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of chunks) {
    hash.update(chunk);
    sizeBytes += chunk.byteLength;
  }
  return { sizeBytes, sha256: hash.digest('hex') };
}
