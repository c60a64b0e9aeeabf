import { UploadError } from '../domain/errors.ts';
import type { StoredFile } from './file-service.ts';

/** Nobody waits for an upload any more, and it goes on: what becomes of it must not be forgotten. */
export class StillRunningError extends UploadError {
  /** The file, when it arrives after all; null when it does not. Never rejects. */
  readonly late: Promise<StoredFile | null>;

  constructor(message: string, late: Promise<StoredFile | null>) {
    super(message, { code: 'timeout', retryable: true });
    this.late = late;
  }
}
