import {
  DeleteError,
  DownloadError,
  type ErrorDetails,
  type FileManagementError,
  FileNotFoundError,
  hasCode,
  ProviderUnavailableError,
  UploadError,
  ValidationError,
} from '../domain/errors.ts';
import type { Failure } from './classify.ts';

export type Operation = 'upload' | 'download' | 'delete' | 'info' | 'list' | 'check' | 'copy';

/** Who speaks, for messages: the provider's name, where it is (no secret), and what to do about each code. */
export interface Speaker {
  provider: string;
  where: string;
  advice: Readonly<Record<string, string>>;
  /** Must never appear in a message, even where a server repeats them. */
  secrets: readonly string[];
}

/** Null where there is no such object. */
export async function nullIfMissing<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (hasCode(error, 'not_found')) return null;
    throw error;
  }
}

const OPERATION_ERROR = { upload: UploadError, download: DownloadError, delete: DeleteError } as const;

/** The one place where a classified failure becomes an error of the hierarchy. */
export function errorFrom(failure: Failure, operation: Operation, speaker: Speaker, cause?: unknown): FileManagementError {
  const Kind = errorClass(failure, operation);
  const details: ErrorDetails = {
    code: failure.code,
    provider: speaker.provider,
    retryable: failure.retryable,
    retryAfterMs: failure.retryAfterMs,
    cause,
  };
  const advice = speaker.advice[failure.code];
  const message = `${operation} at ${speaker.provider} (${speaker.where}) failed: ${failure.detail}${advice === undefined ? '' : `. ${advice}`}`;
  return new Kind(withoutSecrets(message, speaker.secrets), details);
}

function errorClass(failure: Failure, operation: Operation) {
  if (failure.kind === 'invalid') return ValidationError;
  if (failure.kind === 'unavailable') return ProviderUnavailableError;
  if (failure.kind === 'missing' && (operation === 'download' || operation === 'info')) return FileNotFoundError;
  return operation in OPERATION_ERROR ? OPERATION_ERROR[operation as keyof typeof OPERATION_ERROR] : ProviderUnavailableError;
}

/** What another side said, to be masked before it is cut or taken apart: half of a key would not be known again. */
export function withoutSecrets(said: string, secrets: readonly string[]): string {
  return secrets
    .flatMap((secret) => (secret === '' ? [] : [secret, encodeURIComponent(secret)]))
    .sort((a, b) => b.length - a.length) // one may be the beginning of another
    .reduce((text, secret) => text.replaceAll(secret, '***'), said);
}
