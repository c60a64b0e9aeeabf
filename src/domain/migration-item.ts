import { FileManagementError, messageOf } from './errors.ts';
import type { FileOperationResult, FileSource, MigrationItem, NewReference } from './models.ts';

/** A file that a source lists, or a name that cannot be moved and why: nothing that a source holds is passed over in silence. */
export interface SourceItem {
  /** As the report shows it: relative to the root of a folder, or as the manifest has it. */
  path: string;
  /** Unlike any other of the same source, and the same each time it is listed; 16 hex digits. */
  key: string;
  sizeBytes: number;
  source: FileSource | null;
  /** Set where `source` is null. `skipped`: not a file, nothing is lost; `failed`: a person should look. */
  problem?: { status: 'skipped' | 'failed'; code: string; message: string };
  /** What a manifest says of the file beside its path. */
  reference?: Partial<Pick<NewReference, 'name' | 'userId' | 'tags' | 'context'>>;
}

type Named = Pick<SourceItem, 'path' | 'sizeBytes'>;

const nothing = { sha256: null, fileId: null, providerFileId: null, verified: 'none', errorCode: null, error: null, sourceProvider: null, sourceId: null } as const;

/** The report's line for a file that arrived. */
export function arrivedItem(
  { path }: Named,
  { outcome, sizeBytes, sha256, fileId, providerFileId, verified }: FileOperationResult,
): MigrationItem {
  return { ...nothing, path, sizeBytes, status: outcome, sha256, fileId, providerFileId, verified };
}

/** The report's line for a name that could not be moved from the start. */
export function problemItem({ path, sizeBytes, problem }: SourceItem): MigrationItem {
  return {
    ...nothing,
    path,
    sizeBytes,
    status: problem?.status ?? 'failed',
    errorCode: problem?.code ?? null,
    error: problem?.message ?? null,
  };
}

/** The report's line for a file whose upload was cancelled. */
export function cancelledItem({ path, sizeBytes }: Named): MigrationItem {
  return { ...nothing, path, sizeBytes, status: 'cancelled' };
}

/** The report's line for a file whose upload failed for good. */
export function failedItem({ path, sizeBytes }: Named, error: unknown): MigrationItem {
  const errorCode = error instanceof FileManagementError ? error.code : 'unknown';
  return { ...nothing, path, sizeBytes, status: 'failed', errorCode, error: messageOf(error) };
}
