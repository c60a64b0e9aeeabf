import { createHash } from 'node:crypto';
import { FileManagementError, FileNotFoundError, UploadError, ValidationError } from '../domain/errors.ts';
import type { FileContent, FileSource, ObjectSource } from '../domain/models.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Provider, UploadBody } from '../providers/provider.ts';
import { hashFile, readFileChunks } from '../sources/local-file.ts';
import { type Original, readableCopies } from './originals.ts';

export interface FileBytesDependencies {
  ledger: Pick<Ledger, 'copyByProviderId' | 'fileByHash' | 'copies'>;
  /** Throws ProviderNotFoundError. */
  provider: (name: string) => Provider;
  /** Instead of reading a file of this machine: a cache in front of that. */
  hashFile?: typeof hashFile;
}

/** What the bytes of a file are. */
export type Measured = Pick<FileContent, 'sha256' | 'sizeBytes'>;

interface Reading {
  signal: AbortSignal;
  onProgress?: (bytes: number) => void;
}

export type FileBytes = ReturnType<typeof createFileBytes>;

/**
 * The bytes of a file wherever it is: on this machine, or at a provider. An object is never put on a disk: it is read once for its
 * hash, where the ledger does not know it, and once more to be sent.
 */
export function createFileBytes(dependencies: FileBytesDependencies) {
  const { ledger, provider } = dependencies;

  async function others(sha256: string): Promise<Original[]> {
    const file = await ledger.fileByHash(sha256);
    return file === null ? [] : readableCopies(await ledger.copies(file.id), provider, Date.now());
  }

  /** What an object is, without reading it, where the ledger knows a copy of ours on it that still has its size; else null. */
  async function known({ provider: name, id, sizeBytes }: ObjectSource): Promise<Measured | null> {
    const found = await ledger.copyByProviderId(name, provider(name).account, id);
    const sha256 = found?.file.sha256 ?? null;
    return sha256 === null || found?.file.sizeBytes !== sizeBytes ? null : { sha256, sizeBytes };
  }

  async function measure(source: ObjectSource, { signal, onProgress }: Reading): Promise<Measured> {
    try {
      return await hashObject(provider(source.provider), source.id, { signal, ...(onProgress === undefined ? {} : { onProgress }) });
    } catch (error) {
      throw isNotGivenBack(error) ? originalNotAvailable(source, error) : error;
    }
  }

  async function* objectChunks(source: ObjectSource, content: Measured, offset: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const itself = { from: provider(source.provider), id: source.id };
    let at = offset;
    try {
      for await (const chunk of chunksOf(itself, content, offset, signal)) {
        at += chunk.length;
        yield chunk;
      }
      return;
    } catch (error) {
      if (!isNotGivenBack(error) && !(error instanceof FileNotFoundError)) throw error;
      const copy = (await others(content.sha256)).find(({ from, id }) => from.name !== source.provider || id !== source.id);
      if (copy === undefined) throw isNotGivenBack(error) ? originalNotAvailable(source, error) : error;
      // Behind what was given out before the object went.
      yield* chunksOf(copy, content, at, signal);
    }
  }

  return {
    known,

    /** Reads all of it once, unless the ledger knows it. @throws ValidationError `original_not_available` */
    async hash(source: FileSource, reading: Reading): Promise<Measured> {
      if (source.kind === 'path') return await (dependencies.hashFile ?? hashFile)(source, reading);
      return (await known(source)) ?? (await measure(source, reading));
    },

    /** Whether another live copy of this content can be read. */
    isElsewhere: async (sha256: string, { provider: name, id }: ObjectSource): Promise<boolean> =>
      (await others(sha256)).some((copy) => copy.from.name !== name || copy.id !== id),

    /** The bytes to send. Where an object's provider does not give it back, another copy of the same content is read. */
    body: (source: FileSource, content: Measured): UploadBody => ({
      sizeBytes: content.sizeBytes,
      open: (offset, signal) =>
        source.kind === 'path'
          ? readFileChunks(source.path, content.sizeBytes, offset, signal)
          : objectChunks(source, content, offset, signal),
    }),
  };
}

/** Reads all of an object without keeping it. Memory does not grow with its size. */
export async function hashObject(from: Provider, id: string, { signal, onProgress }: Reading): Promise<Measured> {
  const { chunks } = await from.download(id, { signal });
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of chunks) {
    hash.update(chunk);
    sizeBytes += chunk.length;
    onProgress?.(sizeBytes);
  }
  return { sha256: hash.digest('hex'), sizeBytes };
}

/** By a range where there are some; else from the start, and what is not wanted is passed over. */
async function* chunksOf({ from, id }: Original, { sizeBytes }: Measured, offset: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const ranged = from.capabilities.ranges && offset > 0 && offset < sizeBytes;
  const options = ranged ? { signal, range: { first: offset, last: sizeBytes - 1 } } : { signal };
  const download = await from.download(id, options).catch((error: unknown) => {
    const isShorter = error instanceof FileManagementError && error.code === 'range_not_satisfiable';
    throw isShorter ? changed(from, id) : error;
  });
  let skip = ranged ? 0 : offset;
  if (download.sizeBytes !== (ranged ? sizeBytes - offset : sizeBytes)) {
    await download.chunks[Symbol.asyncIterator]().return?.();
    throw changed(from, id);
  }
  for await (const chunk of download.chunks) {
    const wanted = chunk.subarray(Math.min(skip, chunk.length));
    skip -= chunk.length - wanted.length;
    if (wanted.length > 0) yield wanted;
  }
}

const isNotGivenBack = (error: unknown): boolean => error instanceof FileManagementError && error.code === 'not_downloadable';

/** The code `file_changed` makes the upload begin again with a new hash. */
const changed = ({ name }: Provider, id: string) =>
  new UploadError(`${id} at ${name} changed while it was being read`, { code: 'file_changed', provider: name });

/** Said of a file of which no copy can be read: neither at its provider nor at another that the ledger knows. */
export function originalNotAvailable({ provider, name, id }: ObjectSource, cause?: unknown): ValidationError {
  return new ValidationError(
    `${provider} does not give the original of ${name} (${id}) back, and the ledger knows no other copy of it. ` +
      'Upload it from where it came from: npx cutover upload FILE',
    { code: 'original_not_available', provider, cause },
  );
}
