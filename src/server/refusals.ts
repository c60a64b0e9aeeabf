import { DuplicateFileError, FileManagementError, FileNotFoundError, ValidationError } from '../domain/errors.ts';

/** A request that cannot be served as it is, whatever the sides of the facade would say. */
export class RequestRefused extends ValidationError {
  readonly status: number;

  constructor(status: number, code: string, message: string) {
    super(message, { code });
    this.status = status;
  }
}

/** What a caller is told of something that was thrown. */
export interface Refusal {
  status: number;
  /** Stable, for programs. */
  code: string;
  /** For people. Never a stack. */
  message: string;
  /** In seconds, where the error knows. */
  retryAfter: number | null;
}

/** Codes that HTTP has a status of its own for, whichever side they came from. */
const STATUS_OF_CODE: Readonly<Record<string, number>> = {
  file_too_large: 413,
  unsupported_media_type: 415,
  extension_not_allowed: 415,
  body_timeout: 408,
  rate_limited: 429,
  insufficient_storage: 507,
};

/** The one place where an error becomes a status. What nobody has foreseen is told as such: its message is for the log. */
export function refusalOf(error: unknown, operationId: string): Refusal {
  if (!(error instanceof FileManagementError)) {
    const message = `The server failed unexpectedly: its log says more under the operation id ${operationId}`;
    return { status: 500, code: 'unexpected', message, retryAfter: null };
  }
  const { code, message, retryAfterMs } = error;
  return {
    status: statusOf(error),
    code,
    message,
    retryAfter: retryAfterMs === undefined ? null : Math.max(1, Math.ceil(retryAfterMs / 1000)),
  };
}

function statusOf(error: FileManagementError): number {
  if (error instanceof RequestRefused) return error.status;
  const own = STATUS_OF_CODE[error.code];
  if (own !== undefined) return own;
  if (error instanceof FileNotFoundError) return 404;
  if (error instanceof DuplicateFileError) return 409;
  if (error instanceof ValidationError) return 422;
  // 503: later can be different. 502: somebody must mend what is behind us first.
  return error.retryable ? 503 : 502;
}
