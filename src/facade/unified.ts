import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { FileNotFoundError } from '../domain/errors.ts';
import { FileId, type FileRecord, type PathSource } from '../domain/models.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { FileManager } from '../manager/file-manager.ts';
import type { CallContext, FileService, StoredFile, UploadFile } from './file-service.ts';

export interface UnifiedOptions {
  manager: Pick<FileManager, 'upload' | 'read' | 'delete'>;
  ledger: Pick<Ledger, 'file' | 'copies' | 'references' | 'listHeldBy'>;
  /** Where a tool's files go. */
  providerOf: (tool: string) => string;
  /** A folder that the workers see under the same path: what is not a file already is laid there until it has arrived. */
  stagingFolder: string;
}

/** The new upload path as one side of the facade: hash, dedupe, provider upload, record, in a durable workflow. An id is the ledger's. */
export function createUnified({ manager, ledger, providerOf, stagingFolder }: UnifiedOptions): FileService {
  /** The caller's own hold on a file; null where there is none, and the file is none of theirs. */
  async function heldBy(id: string, { userId }: CallContext) {
    const file = await ledger.file(id);
    if (file === null) return null;
    const references = (await ledger.references(file.id)).filter((reference) => reference.userId === userId);
    const [first] = references;
    return first === undefined ? null : { file, references, name: first.name };
  }
  async function staged(
    { open, sizeBytes, path }: UploadFile,
    signal: AbortSignal,
  ): Promise<{ source: PathSource; done(): Promise<void> }> {
    if (path !== null) return { source: { kind: 'path', path, sizeBytes, modifiedMs: 0 }, done: async () => undefined };
    await mkdir(stagingFolder, { recursive: true, mode: 0o700 });
    const target = join(stagingFolder, randomUUID());
    const done = () => rm(target, { force: true });
    try {
      await pipeline(open, createWriteStream(target, { mode: 0o600 }), { signal });
    } catch (error) {
      await done();
      signal.throwIfAborted();
      throw error;
    }
    return { source: { kind: 'path', path: target, sizeBytes, modifiedMs: 0 }, done };
  }

  return {
    async upload(file, { tool, userId, purpose, operationId, signal }) {
      const { source, done } = await staged(file, signal);
      try {
        const { fileId, sizeBytes, mimeType, sha256 } = await manager.upload(source, {
          provider: providerOf(tool),
          reference: { name: file.name, tool, userId, purpose, context: null, tags: [], keep: 'keep' },
          idempotencyKey: operationId,
          operationId,
          signal,
        });
        return { id: fileId, name: file.name, sizeBytes, mimeType: file.mimeType ?? mimeType, sha256 };
      } finally {
        await done();
      }
    },
    async download(id, context) {
      const held = await heldBy(id, context);
      if (held === null) throw new FileNotFoundError(`There is no file ${id}`, { code: 'not_found' });
      return await manager.read(held.file, context);
    },
    async delete(id, context) {
      const held = await heldBy(id, context);
      if (held === null) return false;
      const { signal, operationId } = context;
      const references = held.references.map((reference) => reference.id);
      await manager.delete(held.file, { references, reason: 'deleted by the application', signal, operationId });
      return true;
    },
    async info(id, context) {
      const held = await heldBy(id, context);
      return held === null ? null : storedFile(held.file, held.name);
    },
    async list({ after, limit }, { userId }) {
      const held = await ledger.listHeldBy(userId, { after, limit });
      const files = held.map(({ fileId, name, sizeBytes, mimeType, sha256 }) => ({
        id: fileId,
        name,
        sizeBytes: sizeBytes ?? 0,
        mimeType,
        sha256,
      }));
      return { files, next: held.length === limit ? (held.at(-1)?.referenceId ?? null) : null };
    },
  };
}

/** Whose file an id is: unified's where the ledger has a copy of it. A row that only legacy has written has none. */
export async function knownTo(ledger: Pick<Ledger, 'file' | 'copies'>, id: string): Promise<boolean> {
  if (!FileId.safeParse(id).success) return false;
  const file = await ledger.file(id);
  if (file === null) return false;
  return (await ledger.copies(file.id)).some((copy) => copy.status === 'completed' && copy.deletedAt === null && copy.namespace === 'live');
}

const storedFile = ({ id, sizeBytes, mimeType, sha256 }: FileRecord, name: string): StoredFile => ({
  id,
  name,
  sizeBytes: sizeBytes ?? 0,
  mimeType,
  sha256,
});
