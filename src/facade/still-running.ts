import { UploadError } from '../domain/errors.ts';
import type { StoredFile } from './file-service.ts';

/** An upload that goes on although nobody waits for it any more. */
export interface Late {
  /** Of its workflow. */
  idempotencyKey: string;
  /** The file, when it arrives after all; null when it does not, or this process cannot tell. Never rejects. */
  file: Promise<StoredFile | null>;
}

/** Nobody waits for an upload any more, and it may go on: what becomes of it must not be forgotten. */
export class StillRunningError extends UploadError {
  readonly late: Late;

  constructor(message: string, late: Late, cause?: unknown) {
    super(message, { code: 'timeout', retryable: true, cause });
    this.late = late;
  }
}
