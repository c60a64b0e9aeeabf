import { FileNotFoundError, ValidationError } from '../domain/errors.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { MirrorLedger } from '../ledger/mirror-ledger.ts';
import type { FileManager } from '../manager/file-manager.ts';
import type { CallContext, FileDownload, FilePage, FileService, StoredFile } from './file-service.ts';

/** A file at the other side that is the same upload, under the id that the application knows. */
export interface Counterpart {
  download(): Promise<FileDownload>;
  info(): Promise<StoredFile | null>;
}

/** What the facade asks of files that both sides have. */
export interface Counterparts {
  /** Null where the other side does not have it. @param owner which side the id is of */
  of(id: string, owner: 'legacy' | 'unified', context: CallContext): Promise<Counterpart | null>;
  /** A page of legacy's without the copies of what unified lists. */
  withoutCopies(page: FilePage, context: CallContext): Promise<FilePage>;
}

export interface CounterpartsOptions {
  legacy: FileService;
  mirrors: MirrorLedger;
  ledger: Pick<Ledger, 'file' | 'givenId'>;
  manager: Pick<FileManager, 'read'>;
}

/** By the ledger. */
export function createCounterparts({ legacy, mirrors, ledger, manager }: CounterpartsOptions): Counterparts {
  async function atLegacy(id: string, context: CallContext): Promise<Counterpart | null> {
    const [given, copies] = await Promise.all([ledger.givenId(id, context.userId), mirrors.legacyCopies(id, context.userId)]);
    const copy = copies.find(({ referenceId }) => given?.held.some((held) => held.id === referenceId));
    if (copy === undefined) return null;
    return {
      download: () => legacy.download(copy.legacyId, context),
      async info() {
        const told = await legacy.info(copy.legacyId, context);
        return told === null ? null : { ...told, id };
      },
    };
  }
  async function atUnified(id: string, context: CallContext): Promise<Counterpart | null> {
    const [mirror] = await mirrors.mirrorsOf(context.userId, id);
    const file = mirror === undefined ? null : await ledger.file(mirror.fileId);
    if (mirror === undefined || file === null) return null;
    const { sizeBytes, mimeType, sha256 } = file;
    return {
      download: () => manager.read(file, context),
      info: async () => ({ id, name: mirror.name, sizeBytes: sizeBytes ?? 0, mimeType, sha256 }),
    };
  }
  return {
    of: (id, owner, context) => (owner === 'unified' ? atLegacy(id, context) : atUnified(id, context)),
    async withoutCopies({ files, next }, { userId }) {
      const ids = files.map(({ id }) => id);
      const copies = new Set(await mirrors.copiesAmong(userId, ids));
      return { files: files.filter(({ id }) => !copies.has(id)), next };
    },
  };
}

/**
 * A read of the side that a file is of; the other side's where that fails through no fault of the caller and has it, too. Asks for the
 * counterpart only then. The caller hears of the first failure where nobody can help.
 */
export async function readOrElse<T>(
  read: () => Promise<T>,
  counterpart: () => Promise<Counterpart | null>,
  instead: (counterpart: Counterpart) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (signal.aborted || error instanceof ValidationError || error instanceof FileNotFoundError) throw error;
    const other = await counterpart().catch(() => null);
    if (other === null) throw error;
    return await instead(other).catch(() => Promise.reject(error));
  }
}
