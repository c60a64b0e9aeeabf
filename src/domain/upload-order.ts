import type { FileSource, Namespace, NewReference, Verification } from './models.ts';
import type { ModelKind } from './time-limits.ts';

/** What a caller asks for with one upload, before the operator's settings are added. */
export interface UploadOrder {
  idempotencyKey: string;
  source: FileSource;
  provider: string;
  namespace: Namespace;
  reference: NewReference;
  verify: Verification;
  /** Whether a content that is there already is the answer, or an error. */
  onDuplicate: 'reuse' | 'error';
  /** How often each step is tried before an outage is told; absent: outages are waited out. */
  attempts?: number;
  /** What kind of model the file is for, by which the time limits of each step are multiplied; absent: a standard one. */
  model?: ModelKind | undefined;
  /** The source is an object that was laid there for this upload alone: it is removed at the end, whatever that is. */
  staged?: boolean;
  /**
   * What tells this upload from others of the same content, holder and name: it gets an id of its own, and one that is tried again
   * under the same word is the same. Absent: they are all one.
   */
  distinctBy?: string;
  /** In logs and in Temporal's UI; absent: nobody follows it. */
  operationId?: string;
  /** An object that no longer does: a copy that stands on it is made again. `code` says why, to the ledger. */
  replaces?: { providerFileId: string; code: string };
}
