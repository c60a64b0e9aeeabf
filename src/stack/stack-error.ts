import { FileManagementError } from '../domain/errors.ts';

export type StackErrorCode =
  | 'already_running'
  | 'port_taken'
  | 'disk_full'
  | 'state_unusable'
  | 'temporal_missing'
  | 'postgres_missing'
  | 'migration_failed'
  | 'service_failed'
  | 'stopped';

/** Something about the embedded stack that its user can mend: the message names the thing and says what to do. */
export class StackError extends FileManagementError {
  declare readonly code: StackErrorCode;

  constructor(code: StackErrorCode, message: string, cause?: unknown) {
    super(message, { code, cause });
  }
}
