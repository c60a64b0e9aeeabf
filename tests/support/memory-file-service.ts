import { createHash, randomUUID } from 'node:crypto';
import { FileNotFoundError } from '../../src/domain/errors.ts';
import type { CallContext, FileService, StoredFile, UploadFile } from '../../src/facade/file-service.ts';

/** A side of the facade in memory, which fails and waits when a test says so. */
export interface MemoryFileService extends FileService {
  readonly files: Map<string, StoredFile & { bytes: Buffer; userId: string | null }>;
  readonly uploads: { file: UploadFile; context: CallContext }[];
  /** Every upload from now on throws this; null: none does. */
  failing: Error | null;
}

export function createMemoryFileService(prefix: string): MemoryFileService {
  const files: MemoryFileService['files'] = new Map();
  const uploads: MemoryFileService['uploads'] = [];
  const shown = ({ id, name, sizeBytes, mimeType, sha256 }: StoredFile): StoredFile => ({ id, name, sizeBytes, mimeType, sha256 });
  const service: MemoryFileService = {
    files,
    uploads,
    failing: null,
    async upload(file, context) {
      uploads.push({ file, context });
      const chunks: Uint8Array[] = [];
      for await (const chunk of file.open()) chunks.push(Buffer.from(chunk));
      context.signal.throwIfAborted();
      if (service.failing !== null) throw service.failing;
      const bytes = Buffer.concat(chunks);
      const id = `${prefix}-${randomUUID()}`;
      const stored = {
        id,
        name: file.name,
        sizeBytes: bytes.length,
        mimeType: file.mimeType,
        sha256: createHash('sha256').update(bytes).digest('hex'),
      };
      files.set(id, { ...stored, bytes, userId: context.userId });
      return stored;
    },
    async download(id) {
      const found = files.get(id);
      if (found === undefined) throw new FileNotFoundError(`There is no ${id}`, { code: 'not_found' });
      const chunks = (async function* () {
        yield found.bytes;
      })();
      return { sizeBytes: found.sizeBytes, mimeType: found.mimeType, chunks };
    },
    delete: async (id) => files.delete(id),
    async info(id) {
      const found = files.get(id);
      return found === undefined ? null : shown(found);
    },
    async list({ after, limit }, { userId }) {
      const mine = [...files.values()]
        .filter((file) => file.userId === userId && file.id > (after ?? ''))
        .sort((a, b) => (a.id < b.id ? -1 : 1));
      const page = mine.slice(0, limit).map(shown);
      return { files: page, next: mine.length > limit ? (page.at(-1)?.id ?? null) : null };
    },
  };
  return service;
}
