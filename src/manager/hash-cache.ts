import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { LRUCache } from 'lru-cache';
import type { FileContent } from '../domain/models.ts';
import { fileError } from '../sources/file-errors.ts';
import { hashFile } from '../sources/local-file.ts';

type Measured = Pick<FileContent, 'sha256' | 'sizeBytes'>;

export interface HashCache {
  /** As `hashFile`; reads nothing where the file is as it was when it was hashed before. */
  hash: typeof hashFile;
  /** The file turned out to be another one than its hash says: the next question reads it. */
  forget(path: string): void;
}

export interface HashCacheOptions {
  /** Files to remember. */
  max: number;
  /** In ms since 1970, as the file system's. */
  now?: () => number;
}

/** The coarsest timestamps that a file system has (FAT: 2 s): a change within that of the last one may leave them as they were. */
const GRANULARITY_NS = 2_000_000_000n;

/**
 * SHA-256 of files by path, size, times (in ns) and inode. A file is remembered when it was the same before and after it was read,
 * and had rested for so long that any later change shows in its ctime, which nobody can set.
 */
export function createHashCache({ max, now = Date.now }: HashCacheOptions): HashCache {
  const known = new LRUCache<string, Measured & { stamp: string }>({ max });
  return {
    async hash(source, options) {
      options.signal.throwIfAborted();
      const askedNs = BigInt(Math.floor(now())) * 1_000_000n;
      const before = await statOf(source.path);
      const hit = known.get(source.path);
      if (hit?.stamp === stampOf(before)) {
        options.onProgress?.(hit.sizeBytes);
        return { sha256: hit.sha256, sizeBytes: hit.sizeBytes };
      }
      known.delete(source.path);
      const measured = await hashFile(source, options);
      // One that vanished meanwhile was still read to its end.
      const after = await statOf(source.path).catch(() => null);
      const rested = before.mtimeNs + GRANULARITY_NS < askedNs && before.ctimeNs + GRANULARITY_NS < askedNs;
      if (rested && after !== null && stampOf(after) === stampOf(before)) known.set(source.path, { ...measured, stamp: stampOf(before) });
      return measured;
    },
    forget(path) {
      known.delete(path);
    },
  };
}

async function statOf(path: string): Promise<BigIntStats> {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    throw fileError(error, path);
  }
}

const stampOf = ({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats) => [dev, ino, size, mtimeNs, ctimeNs].join(' ');
