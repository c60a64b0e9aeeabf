/**
 * The one hierarchy of errors. Each is made at the edge where its cause is known; nothing above guesses again.
 * `code` is stable and meant for programs; `message` is for people and says what to do.
 */

export interface ErrorDetails {
  /** Stable, in snake case: `file_changed`, `insufficient_storage`. */
  code: string;
  provider?: string | undefined;
  /** Whether doing the same thing again can succeed. */
  retryable?: boolean | undefined;
  /** How long to wait before that, where the other side said so. */
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

export interface ErrorJson {
  kind: string;
  code: string;
  message: string;
  provider?: string | undefined;
  retryable: boolean;
  retryAfterMs?: number | undefined;
  cause?: string | undefined;
}

export class FileManagementError extends Error {
  readonly code: string;
  readonly provider: string | undefined;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = details.code;
    this.provider = details.provider;
    this.retryable = details.retryable ?? false;
    this.retryAfterMs = details.retryAfterMs;
  }

  /** For logs and for Temporal's failure details: no stack, no secrets, the cause in one line. */
  toJSON(): ErrorJson {
    return {
      kind: this.name,
      code: this.code,
      message: this.message,
      ...(this.provider === undefined ? {} : { provider: this.provider }),
      retryable: this.retryable,
      ...(this.retryAfterMs === undefined ? {} : { retryAfterMs: this.retryAfterMs }),
      ...(this.cause === undefined ? {} : { cause: this.cause instanceof Error ? this.cause.message : String(this.cause) }),
    };
  }
}

export class UploadError extends FileManagementError {}
export class DownloadError extends FileManagementError {}
export class DeleteError extends FileManagementError {}
/** The content is there already and the caller asked not to reuse it. */
export class DuplicateFileError extends FileManagementError {}
export class FileNotFoundError extends FileManagementError {}
/** The caller's mistake: repeating it cannot help. */
export class ValidationError extends FileManagementError {}
export class ProviderNotFoundError extends FileManagementError {}
/** Rate limited, circuit open, or the network or the server is down: later can be different. */
export class ProviderUnavailableError extends FileManagementError {}
/** The ledger could not be reached or refused us. */
export class LedgerError extends FileManagementError {}

const KINDS: Readonly<Record<string, typeof FileManagementError>> = {
  UploadError,
  DownloadError,
  DeleteError,
  DuplicateFileError,
  FileNotFoundError,
  ValidationError,
  ProviderNotFoundError,
  ProviderUnavailableError,
  LedgerError,
};

/** The error that `toJSON` described, of the same kind: what it was made for when it passes through Temporal. */
export function errorFromJson({ kind, message, ...details }: Omit<ErrorJson, 'cause'>, cause?: unknown): FileManagementError {
  return new (KINDS[kind] ?? FileManagementError)(message, { ...details, cause });
}

/** Whether something that was thrown is an error of ours with one of these codes. */
export const hasCode = (error: unknown, ...codes: string[]): error is FileManagementError =>
  error instanceof FileManagementError && codes.includes(error.code);

/** The message of anything that was thrown, on one line. */
export function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, ' ');
}
