import { createHash, randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DownloadError, FileManagementError, FileNotFoundError } from '../domain/errors.ts';
import type { FileRecord } from '../domain/models.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { MaintenanceLedger } from '../ledger/maintenance-ledger.ts';
import type { Download, Provider } from '../providers/provider.ts';
import { legacyObjectId } from './legacy-object.ts';
import { isThere, type Original, readableCopies } from './originals.ts';

export interface DownloadDependencies {
  ledger: Ledger;
  provider: (name: string) => Provider;
  /** Learns the hash of a file that had none, when it has been read. */
  maintenance?: Pick<MaintenanceLedger, 'recordHash'>;
  /** Where the application keeps the files that it stored itself; null or absent: such a file has no copy that we could read. */
  legacyBucket?: string | null;
}

/** Where such files are. */
const LEGACY_PROVIDER = 'supabase';

/** Where a file's bytes can be had now: its completed live copies whose providers give originals back; last, where the application had put it. */
async function locate(file: FileRecord, { ledger, provider, legacyBucket = null }: DownloadDependencies): Promise<Original[]> {
  const copies = await ledger.copies(file.id);
  const readable = readableCopies(copies, provider, Date.now());
  // What was deleted here is not given out there.
  if (file.storagePath !== null && legacyBucket !== null && copies.every(({ deletedAt }) => deletedAt === null))
    readable.push({ from: provider(LEGACY_PROVIDER), id: legacyObjectId(legacyBucket, file.storagePath) });
  if (readable.length > 0) return readable;
  const there = copies.filter((copy) => isThere(copy, Date.now()) && copy.deletedAt === null && copy.namespace === 'live');
  throw new FileNotFoundError(
    there.length === 0
      ? `The file ${file.id} has no copy at any provider (deleted, expired, or its upload never finished)`
      : `No provider of the file ${file.id} that is configured here gives originals back (${there.map((copy) => copy.provider).join(', ')})`,
    { code: 'no_copy' },
  );
}

/** The first of these objects that is there: the ledger learns late of one that somebody else has deleted. */
async function openFirst(originals: readonly Original[], signal: AbortSignal): Promise<{ from: Provider; download: Download }> {
  let missing: unknown;
  for (const { from, id } of originals)
    try {
      return { from, download: await from.download(id, { signal }) };
    } catch (error) {
      if (!(error instanceof FileNotFoundError)) throw error;
      missing ??= error;
    }
  throw missing;
}

/**
 * A file's bytes as they come. Whoever reads them has them before the hash is known: a difference is an error after the last one.
 * @throws FileNotFoundError; DownloadError `verification_failed` at the end
 */
export async function readFile(file: FileRecord, dependencies: DownloadDependencies, signal: AbortSignal): Promise<Download> {
  const { from, download: opened } = await openFirst(await locate(file, dependencies), signal);
  const { chunks, ...download } = opened;
  async function* checked(): AsyncGenerator<Uint8Array> {
    const hash = createHash('sha256');
    let sizeBytes = 0;
    for await (const chunk of chunks) {
      hash.update(chunk);
      sizeBytes += chunk.length;
      yield chunk;
    }
    const sha256 = hash.digest('hex');
    if (file.sha256 !== null && sha256 !== file.sha256)
      throw new DownloadError(`What was read of ${file.id} is damaged: SHA-256 ${sha256} instead of ${file.sha256}. Do not use it.`, {
        code: 'verification_failed',
        provider: from.name,
      });
    await learnHash(file, { sha256, sizeBytes }, dependencies);
    await dependencies.ledger.touch(file.id);
  }
  return { ...download, chunks: checked() };
}

/** A file that was recorded without a hash has one from its first reading on. That it could not be recorded is no failure of the reading. */
async function learnHash(
  file: FileRecord,
  { sha256, sizeBytes }: { sha256: string; sizeBytes: number },
  { maintenance }: DownloadDependencies,
): Promise<void> {
  if (file.sha256 !== null || maintenance === undefined) return;
  await maintenance.recordHash(file.id, sha256, sizeBytes).catch((error: unknown) => {
    if (!(error instanceof FileManagementError)) throw error;
  });
}

/**
 * Writes a file, checked while it is written: the target appears whole and right, or not at all.
 * @param onProgress bytes written so far
 */
export async function downloadFile(
  file: FileRecord,
  target: string,
  dependencies: DownloadDependencies,
  { signal, onProgress }: { signal: AbortSignal; onProgress?: (bytes: number) => void },
): Promise<{ sizeBytes: number; sha256: string }> {
  const originals = await locate(file, dependencies);
  // Not made of the target's name, which may be as long as names can be.
  const temporary = join(dirname(target), `.${randomUUID().slice(0, 8)}.part`);
  try {
    const handle = await open(temporary, 'wx');
    const hash = createHash('sha256');
    let sizeBytes = 0;
    let name: string;
    try {
      // After the file is open: an answer that nobody reads would hold its connection, and with it the process.
      const { from, download } = await openFirst(originals, signal);
      name = from.name;
      for await (const chunk of download.chunks) {
        await handle.writeFile(chunk);
        hash.update(chunk);
        sizeBytes += chunk.length;
        onProgress?.(sizeBytes);
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    const sha256 = hash.digest('hex');
    if (file.sha256 !== null && sha256 !== file.sha256)
      throw new DownloadError(
        `What ${name} has for ${file.id} is not what was uploaded (SHA-256 ${sha256} instead of ${file.sha256}); nothing was written`,
        {
          code: 'verification_failed',
          provider: name,
        },
      );
    await rename(temporary, target);
    await learnHash(file, { sha256, sizeBytes }, dependencies);
    await dependencies.ledger.touch(file.id);
    return { sizeBytes, sha256 };
  } catch (error) {
    await rm(temporary, { force: true });
    throw writeError(error, target);
  }
}

function writeError(error: unknown, target: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (typeof code !== 'string' || (error as NodeJS.ErrnoException).syscall === undefined) return error;
  const why: Record<string, string> = {
    ENOSPC: 'no space left on the disk; free some or choose another place with -o',
    EACCES: 'permission denied',
    EROFS: 'the file system is read-only',
    ENOENT: 'its folder does not exist',
    EISDIR: 'it is a folder',
    ENAMETOOLONG: 'the name is too long; choose another with -o',
  };
  return new DownloadError(`${target} could not be written: ${why[code] ?? code}`, { code: 'write_failed', cause: error });
}
