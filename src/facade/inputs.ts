import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ValidationError } from '../domain/errors.ts';
import { fileError } from '../sources/file-errors.ts';
import { diskError } from './disk-error.ts';
import type { UploadFile } from './file-service.ts';
import { mimeTypeFor } from './mime-type.ts';

/** What a caller hands over: a path, bytes, a factory of streams with their length, or a stream that can be read once. */
export type FacadeInput =
  | { path: string; name?: string; mimeType?: string }
  | { bytes: Uint8Array; name: string; mimeType?: string }
  | { open: () => AsyncIterable<Uint8Array>; sizeBytes: number; name: string; mimeType?: string }
  | { stream: AsyncIterable<Uint8Array>; name: string; mimeType?: string };

export interface PreparedFile {
  file: UploadFile;
  /** Removes what was spooled; null: nothing was. */
  done: (() => Promise<void>) | null;
}

export interface PrepareOptions {
  maxFileBytes: number;
  /** Asked for where there is something to wait for. */
  signal: () => AbortSignal;
  /** Below it are the temporary files; the system's own folder for them unless said. */
  spoolFolder?: string | undefined;
}

/**
 * The input as a file that can be opened again. A stream that can be read once is written to a temporary file first, so that the
 * other side can read it too.
 * @throws ValidationError for a path that is no readable file, or a stream of more than `maxFileBytes`; UploadError
 * `insufficient_storage` where the temporary file has no room
 */
export async function prepare(input: FacadeInput, options: PrepareOptions): Promise<PreparedFile> {
  if ('path' in input) return await fromPath(resolve(input.path), input);
  const named = { name: input.name, mimeType: input.mimeType ?? mimeTypeFor(input.name) };
  if ('bytes' in input) {
    const { bytes } = input;
    return kept({ ...named, sizeBytes: bytes.byteLength, path: null, open: () => Readable.from([bytes]) });
  }
  if ('open' in input) return kept({ ...named, sizeBytes: input.sizeBytes, path: null, open: input.open });
  return await spooled(input.stream, named, options);
}

const kept = (file: UploadFile): PreparedFile => ({ file, done: null });

async function fromPath(path: string, { name = basename(path), mimeType }: { name?: string; mimeType?: string }): Promise<PreparedFile> {
  const found = await stat(path).catch((error: unknown) => {
    throw fileError(error, path);
  });
  if (!found.isFile()) throw new ValidationError(`${path} is not a file`, { code: 'not_a_file' });
  return kept({ name, mimeType: mimeType ?? mimeTypeFor(name), sizeBytes: found.size, path, open: () => createReadStream(path) });
}

async function spooled(
  stream: AsyncIterable<Uint8Array>,
  named: Pick<UploadFile, 'name' | 'mimeType'>,
  { maxFileBytes, signal, spoolFolder = tmpdir() }: PrepareOptions,
): Promise<PreparedFile> {
  const folder = await mkdir(spoolFolder, { recursive: true, mode: 0o700 })
    .then(() => mkdtemp(join(spoolFolder, 'cutover-spool-')))
    .catch((error: unknown) => {
      throw diskError(error, spoolFolder);
    });
  const done = () => rm(folder, { recursive: true, force: true });
  const path = join(folder, randomUUID());
  let sizeBytes = 0;
  try {
    const limited = async function* () {
      for await (const chunk of stream) {
        sizeBytes += chunk.byteLength;
        if (sizeBytes > maxFileBytes)
          throw new ValidationError(`${named.name} has more than ${maxFileBytes} bytes (MAX_FILE_SIZE_MB)`, { code: 'file_too_large' });
        yield chunk;
      }
    };
    await pipeline(limited, createWriteStream(path, { mode: 0o600 }), { signal: signal() });
  } catch (error) {
    await done();
    throw diskError(error, spoolFolder);
  }
  return { file: { ...named, sizeBytes, path: null, open: () => createReadStream(path) }, done };
}
