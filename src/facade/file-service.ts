import type { ObjectSource } from '../domain/models.ts';
import type { ModelKind } from '../domain/time-limits.ts';

/** What an application's upload path can do. Legacy and unified both are one, and so is the facade that stands before them. */

/** A file to upload: it can be opened again, because a second side may read it too. */
export interface UploadFile {
  name: string;
  mimeType: string | null;
  sizeBytes: number;
  /** From the start, each time anew. */
  open(): AsyncIterable<Uint8Array>;
  /** Where the workers can read it themselves; null: nowhere. */
  path: string | null;
}

/** A file as a side tells of it. `id` is what the application keeps. */
export interface StoredFile {
  id: string;
  name: string;
  sizeBytes: number;
  mimeType: string | null;
  /** Lower-case hex; null where the side does not know it. */
  sha256: string | null;
}

export interface CallContext {
  tool: string;
  /** Null: on nobody's behalf. */
  userId: string | null;
  /** In logs, workflows and comparisons. */
  operationId: string;
  /** What the file is for (a use, or a provider's own purpose). */
  purpose: string;
  /** What kind of model the file is for: its time limits count; absent: a standard one's. */
  model?: ModelKind | undefined;
  signal: AbortSignal;
}

export interface FileDownload {
  sizeBytes: number;
  mimeType: string | null;
  chunks: AsyncIterable<Uint8Array>;
}

export interface FilePage {
  files: StoredFile[];
  /** To go on with; null after the last. */
  next: string | null;
}

/**
 * Errors of `domain/errors.ts`: a ValidationError is the caller's mistake, and no reason to ask another side; everything else is the
 * side's own fault.
 */
export interface FileService {
  upload(file: UploadFile, context: CallContext): Promise<StoredFile>;
  /** Throws FileNotFoundError. */
  download(id: string, context: CallContext): Promise<FileDownload>;
  /** False when there was nothing to delete. */
  delete(id: string, context: CallContext): Promise<boolean>;
  /** Null when there is no such file. */
  info(id: string, context: CallContext): Promise<StoredFile | null>;
  /** The user's files. */
  list(page: { after: string | null; limit: number }, context: CallContext): Promise<FilePage>;
  /** The file that an operation has stored, also when nobody has heard its answer. Absent: this side cannot tell. */
  find?(operationId: string, context: CallContext): Promise<StoredFile | null>;
  /** Where workers can read a file that it has stored, without its help. Absent, or null: it must be read through `download`. */
  locate?(id: string, context: CallContext): Promise<ObjectSource | null>;
}
