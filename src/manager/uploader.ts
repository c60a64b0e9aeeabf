import { createHash, randomUUID } from 'node:crypto';
import type { FileOperationResult, FileSource, NewReference, Verification } from '../domain/models.ts';
import type { ModelKind } from '../domain/time-limits.ts';
import type { UploadOrder } from '../domain/upload-order.ts';
import { unlessAborted } from './waiting.ts';

/** An upload that is under way, wherever it runs. */
export interface StartedUpload {
  workflowId: string;
}

/** Where uploads run: Temporal, by its client. */
export interface Uploads {
  /** The same idempotency key while it runs is the same upload. */
  startUpload(order: UploadOrder): Promise<StartedUpload>;
  uploadResult(started: StartedUpload): Promise<FileOperationResult>;
}

export interface UploadOptions {
  provider: string;
  reference: NewReference;
  verify?: Verification;
  onDuplicate?: UploadOrder['onDuplicate'];
  attempts?: UploadOrder['attempts'];
  staged?: UploadOrder['staged'];
  distinctBy?: UploadOrder['distinctBy'];
  /** What kind of model the file is for: its time limits count; absent: a standard one's. */
  model?: ModelKind | undefined;
  /** In logs and in Temporal's UI; one is made where none is given. */
  operationId?: string;
  /** Absent: the same file, unchanged, for the same holder at the same provider is the same upload while it runs. */
  idempotencyKey?: string;
  /** Ends the waiting; the upload itself goes on. */
  signal: AbortSignal;
  onStarted?: (started: StartedUpload) => void;
}

/** What an operation answers, and under which id it is found in logs and workflows. */
export type Followed<T> = T & { operationId: string };

/** One file through the durable workflow, until it is there. */
export async function uploadDurably(source: FileSource, options: UploadOptions, uploads: Uploads): Promise<Followed<FileOperationResult>> {
  const {
    provider,
    reference,
    verify = 'none',
    onDuplicate = 'reuse',
    operationId = randomUUID(),
    signal,
    onStarted,
    attempts,
    staged,
    distinctBy,
    model,
  } = options;
  signal.throwIfAborted();
  const idempotencyKey = options.idempotencyKey ?? keyOf(source, reference, provider, verify);
  const order: UploadOrder = {
    ...{ idempotencyKey, source, provider, namespace: 'live', reference, verify, onDuplicate, operationId },
    ...(attempts === undefined ? {} : { attempts }),
    ...(staged === true ? { staged } : {}),
    ...(distinctBy === undefined ? {} : { distinctBy }),
    ...(model === undefined ? {} : { model }),
  };
  const started = await uploads.startUpload(order);
  onStarted?.(started);
  return { ...(await unlessAborted(uploads.uploadResult(started), signal)), operationId };
}

/** A hash, because workflow ids are stored in plain text. */
const keyOf = (...parts: unknown[]): string => createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
