import type { BackfillOrder, BackfillOutcome, BackfillPage } from '../domain/backfill-run.ts';
import { FileManagementError, LedgerError, messageOf, ValidationError } from '../domain/errors.ts';
import type { FileRecord } from '../domain/models.ts';
import type { MaintenanceLedger, NewHash, RecordedHash } from '../ledger/maintenance-ledger.ts';
import { namesByContent, type Provider } from '../providers/provider.ts';
import { hashObject } from './file-bytes.ts';
import { legacyObjectId } from './legacy-object.ts';

export interface BackfillDependencies {
  maintenance: MaintenanceLedger;
  /** Throws ProviderNotFoundError. */
  provider: (name: string) => Provider;
}

/** What was read is written after so many files, or after this long: a worker that dies loses no more. */
const FILES_PER_WRITE = 20;
const MS_PER_WRITE = 5_000;

export function createBackfiller({ maintenance, provider }: BackfillDependencies) {
  return {
    /** @throws ValidationError where old files cannot be read there */
    async check({ provider: name }: BackfillOrder): Promise<{ hashed: number; unhashed: number; duplicates: number }> {
      if (!namesByContent(provider(name)))
        throw new ValidationError(`${name} has no buckets: old files are read from a storage (supabase, s3)`, {
          code: 'not_a_storage',
          provider: name,
        });
      return await maintenance.countHashes();
    },

    /** One batch behind a file. What is recorded already is not read again. @param onProgress files and bytes read so far */
    async batch(
      after: string | null,
      order: BackfillOrder,
      { signal, onProgress }: { signal: AbortSignal; onProgress: (files: number, bytes: number) => void },
    ): Promise<BackfillPage> {
      const from = provider(order.provider);
      const files = await maintenance.unhashed({ after, limit: order.batchSize });
      const page = { outcomes: {} as Partial<Record<BackfillOutcome, number>>, bytes: 0, reasons: {} as Record<string, number> };
      let unwritten: NewHash[] = [];
      let writtenAt = performance.now();
      const write = async () => {
        for (const recorded of await maintenance.recordHashes(order.runId, unwritten, order)) count(page, recorded);
        unwritten = [];
        writtenAt = performance.now();
      };
      for (const [at, file] of files.entries()) {
        unwritten.push(await hashOf(file, from, order.bucket, signal));
        page.bytes += unwritten.at(-1)?.sha256 == null ? 0 : (unwritten.at(-1)?.sizeBytes ?? 0);
        onProgress(at + 1, page.bytes);
        if (unwritten.length >= FILES_PER_WRITE || performance.now() - writtenAt > MS_PER_WRITE) await write();
      }
      await write();
      return { ...page, next: files.length < order.batchSize ? null : (files.at(-1)?.id ?? null) };
    },
  };
}

function count(page: Pick<BackfillPage, 'outcomes' | 'reasons'>, { outcome, errorCode }: RecordedHash): void {
  page.outcomes[outcome] = (page.outcomes[outcome] ?? 0) + 1;
  if (outcome === 'unreadable') page.reasons[errorCode ?? 'unknown'] = (page.reasons[errorCode ?? 'unknown'] ?? 0) + 1;
}

/** One file that cannot be read is no reason to stop; an outage is. */
async function hashOf(file: FileRecord, from: Provider, bucket: string, signal: AbortSignal): Promise<NewHash> {
  const { id: fileId, storagePath, originalName: name, sizeBytes } = file;
  const line = { fileId, storagePath, name, sizeBytes };
  const unreadable = (errorCode: string, error: string): NewHash => ({ ...line, sha256: null, errorCode, error });
  if (storagePath === null || storagePath === '') return unreadable('no_storage_path', 'The row does not say where its object is');
  try {
    const measured = await hashObject(from, legacyObjectId(bucket, storagePath), { signal });
    return { ...line, ...measured, errorCode: null, error: null };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof FileManagementError) || error.retryable || error instanceof LedgerError) throw error;
    return unreadable(error.code, messageOf(error));
  }
}
