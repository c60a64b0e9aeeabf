import type { BackfillOrder, BackfillOutcome, BackfillPage } from '../domain/backfill-run.ts';
import { FileManagementError, LedgerError, messageOf, ValidationError } from '../domain/errors.ts';
import type { FileRecord } from '../domain/models.ts';
import type { HashItemCount, MaintenanceLedger, NewHash } from '../ledger/maintenance-ledger.ts';
import { namesByContent, type Provider } from '../providers/provider.ts';
import { atOnce } from './at-once.ts';
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
/** Files that are read at once. */
const AT_ONCE = 8;

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
      let read = 0;
      let bytes = 0;
      let unwritten: NewHash[] = [];
      let writtenAt = performance.now();
      const write = async () => {
        await maintenance.recordHashes(order.runId, unwritten, order);
        unwritten = [];
        writtenAt = performance.now();
      };
      // In small groups, recorded in the order of their ids: of the same content twice, the one with the lower id stands.
      for (let at = 0; at < files.length; at += AT_ONCE) {
        unwritten.push(
          ...(await atOnce(files.slice(at, at + AT_ONCE), AT_ONCE, async (file) => {
            const hash = await hashOf(file, from, order.bucket, signal);
            read += 1;
            bytes += hash.sha256 === null ? 0 : (hash.sizeBytes ?? 0);
            onProgress(read, bytes);
            return hash;
          })),
        );
        if (unwritten.length >= FILES_PER_WRITE || performance.now() - writtenAt > MS_PER_WRITE) await write();
      }
      await write();
      const next = files.length < order.batchSize ? null : (files.at(-1)?.id ?? null);
      // By the record, which has also what an attempt before this one read.
      return { ...pageOf(await maintenance.countHashItems(order.runId, { after, until: next })), next };
    },
  };
}

function pageOf(counts: readonly HashItemCount[]): Omit<BackfillPage, 'next'> {
  const page = { outcomes: {} as Partial<Record<BackfillOutcome, number>>, bytes: 0, reasons: {} as Record<string, number> };
  for (const { outcome, errorCode, files, bytes } of counts) {
    page.outcomes[outcome] = (page.outcomes[outcome] ?? 0) + files;
    page.bytes += bytes;
    if (outcome === 'unreadable') page.reasons[errorCode ?? 'unknown'] = (page.reasons[errorCode ?? 'unknown'] ?? 0) + files;
  }
  return page;
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
