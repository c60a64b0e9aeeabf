import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { FileSource } from '../domain/models.ts';
import type { StagingStore } from '../providers/supabase-staging.ts';
import { diskError } from './disk-error.ts';
import type { UploadFile } from './file-service.ts';

/** A file where workers can read it. */
export interface Staged {
  source: FileSource;
  /** Whether it was laid there for this upload alone, and whoever takes it over is to remove it. */
  temporary: boolean;
  /** Removes what was laid there, where it still is. */
  remove(): Promise<void>;
}

/** Brings a file to where workers can read it. */
export interface Staging {
  stage(file: UploadFile, signal: AbortSignal): Promise<Staged>;
}

/** For workers on this machine, or with the same folders: a path stays where it is, everything else is laid into `folder`. */
export function folderStaging(folder: string): Staging {
  return {
    async stage({ open, sizeBytes, path }, signal) {
      if (path !== null)
        return { source: { kind: 'path', path, sizeBytes, modifiedMs: 0 }, temporary: false, remove: async () => undefined };
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const target = join(folder, randomUUID());
      const remove = () => rm(target, { force: true });
      try {
        await pipeline(open, createWriteStream(target, { mode: 0o600 }), { signal });
      } catch (error) {
        await remove();
        signal.throwIfAborted();
        throw diskError(error, folder);
      }
      return { source: { kind: 'path', path: target, sizeBytes, modifiedMs: 0 }, temporary: false, remove };
    },
  };
}

/** For workers anywhere: the bytes are laid into Supabase Storage, and the workflow that reads them removes them at its end. */
export function storageStaging(store: StagingStore): Staging {
  return {
    async stage({ open, sizeBytes, name, mimeType }, signal) {
      const id = await store.put({ open, sizeBytes, mimeType }, signal);
      return {
        source: { kind: 'object', provider: 'supabase', id, sizeBytes, name, mimeType },
        temporary: true,
        remove: () => store.remove(id),
      };
    },
  };
}
