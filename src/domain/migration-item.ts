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
  /** `false` where its provider does not give the original back: only another copy of it can be sent. */
  givenBack?: false;
  /** Set where `source` is null. `skipped`: not a file, nothing is lost; `failed`: a person should look. */
  problem?: { status: 'skipped' | 'failed'; code: string; message: string };
  /** What a manifest says of the file beside its path. */
  reference?: Partial<Pick<NewReference, 'name' | 'userId' | 'tags' | 'context'>>;
}

/** What a report's line tells of a file, however it ended. */
export type Listed = Pick<SourceItem, 'path' | 'sizeBytes'> & Partial<Origin>;
type Origin = Pick<MigrationItem, 'sourceProvider' | 'sourceId'>;

/** Where a file came from a provider: which, and its id there. */
export const originOf = ({ source }: Pick<SourceItem, 'source'>): Partial<Origin> =>
  source?.kind === 'object' ? { sourceProvider: source.provider, sourceId: source.id } : {};

const line = ({ path, sizeBytes, sourceProvider = null, sourceId = null }: Listed): Omit<MigrationItem, 'status'> => ({
  ...{ path, sizeBytes, sha256: null, fileId: null, providerFileId: null, verified: 'none' as const },
  ...{ errorCode: null, error: null, sourceProvider, sourceId },
});

type Arrived = Pick<FileOperationResult, 'outcome' | 'sizeBytes' | 'sha256' | 'verified'> &
  Pick<MigrationItem, 'fileId' | 'providerFileId'>;

/** The report's line for a file that arrived, or would. */
export function arrivedItem(file: Listed, { outcome, sizeBytes, sha256, fileId, providerFileId, verified }: Arrived): MigrationItem {
  return { ...line(file), sizeBytes, status: outcome, sha256, fileId, providerFileId, verified };
}

/** The report's line for a name that could not be moved from the start. */
export function problemItem(item: SourceItem): MigrationItem {
  const { status = 'failed', code = null, message = null } = item.problem ?? {};
  return { ...line({ ...item, ...originOf(item) }), status, errorCode: code, error: message };
}

/** The report's line for a file whose upload was cancelled. */
export function cancelledItem(file: Listed): MigrationItem {
  return { ...line(file), status: 'cancelled' };
}

/** The report's line for a file whose upload failed for good. */
export function failedItem(file: Listed, error: unknown): MigrationItem {
  const errorCode = error instanceof FileManagementError ? error.code : 'unknown';
  return { ...line(file), status: 'failed', errorCode, error: messageOf(error) };
}
