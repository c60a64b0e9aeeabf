import { createHash, type Hash } from 'node:crypto';
import { UploadError } from '../domain/errors.ts';
import type { UploadBody } from './provider.ts';

/** A place in a body and the hash of all before it: where a retry goes on without reading from the start. */
export interface BodyMark {
  position: number;
  hash: Hash;
}

export interface BodyReader {
  /**
   * The next `length` bytes. The last piece of the body is given out only after the end of the source and the SHA-256 were
   * checked: a server that was promised the whole length never gets a body that is not the expected one.
   * Throws UploadError `file_changed`.
   */
  read(length: number): AsyncGenerator<Uint8Array>;
  /** Reads and hashes up to `position` without giving anything out: what the server has already. */
  skipTo(position: number): Promise<void>;
  mark(): BodyMark;
  /** Lets the source go. Not waited for: a source that hangs must not hold up the error that ends the transfer. */
  close(): void;
}

export const startOfBody = (): BodyMark => ({ position: 0, hash: createHash('sha256') });

/** Reads a body once from `from`, hashing in the same pass. */
export function readBody(body: UploadBody, sha256: string, signal: AbortSignal, from: BodyMark = startOfBody()): BodyReader {
  const hash = from.hash.copy();
  let position = from.position;
  let source: AsyncIterator<Uint8Array> | undefined;
  let pending: Uint8Array | undefined;

  async function nextChunk(): Promise<Uint8Array | undefined> {
    signal.throwIfAborted();
    source ??= body.open(position, signal)[Symbol.asyncIterator]();
    for (;;) {
      const { done, value } = await source.next();
      signal.throwIfAborted();
      if (done) return undefined;
      if (value.byteLength > 0) return value;
    }
  }
  async function checkEnd(): Promise<void> {
    const extra = pending ?? (await nextChunk());
    if (extra !== undefined) throw changed(`it has more than ${body.sizeBytes} bytes now`);
    if (hash.copy().digest('hex') !== sha256) throw changed('its SHA-256 is another one now');
  }
  async function* read(length: number): AsyncGenerator<Uint8Array> {
    const end = Math.min(position + length, body.sizeBytes);
    while (position < end) {
      const chunk = pending ?? (await nextChunk());
      if (chunk === undefined) throw changed(`it has only ${position} of ${body.sizeBytes} bytes now`);
      const piece = chunk.subarray(0, end - position);
      pending = piece.byteLength < chunk.byteLength ? chunk.subarray(piece.byteLength) : undefined;
      hash.update(piece);
      position += piece.byteLength;
      if (position === body.sizeBytes) await checkEnd();
      yield piece;
    }
    if (body.sizeBytes === 0) await checkEnd();
  }
  return {
    read,
    async skipTo(target) {
      for await (const _ of read(target - position));
    },
    mark: () => ({ position, hash: hash.copy() }),
    close() {
      Promise.resolve(source?.return?.()).catch(() => {});
    },
  };
}

function changed(how: string): UploadError {
  return new UploadError(`The file changed since it was hashed: ${how}. Hash it again and upload that`, { code: 'file_changed' });
}

/** Copies chunks into a buffer of at least their length, so that a source may use its own again. What was filled of it. */
export async function collect(chunks: AsyncIterable<Uint8Array>, into: Buffer): Promise<Buffer> {
  let filled = 0;
  for await (const chunk of chunks) {
    into.set(chunk, filled);
    filled += chunk.byteLength;
  }
  return into.subarray(0, filled);
}
