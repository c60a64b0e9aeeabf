import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { FileManagementError, messageOf } from '../src/domain/errors.ts';

/** A provider's Retry-After is honoured up to here; one answer must not stop a queue. */
const LONGEST_RETRY_DELAY_MS = 60_000;

/** The one place where our errors become Temporal's: type = kind, first detail = `toJSON()`. Errors that are not ours are retried. */
export function toFailure(error: unknown): Error {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) return error;
  if (!(error instanceof FileManagementError)) return error instanceof Error ? error : new Error(messageOf(error));
  return ApplicationFailure.create({
    type: error.name,
    message: error.message,
    nonRetryable: !error.retryable,
    details: [error.toJSON()],
    ...(error.retryAfterMs === undefined ? {} : { nextRetryDelay: Math.min(error.retryAfterMs, LONGEST_RETRY_DELAY_MS) }),
  });
}

/** Wraps each function, so that none forgets. */
export function mapErrors<T extends Record<string, (...args: never[]) => Promise<unknown>>>(functions: T): T {
  const wrapped = Object.entries(functions).map(([name, run]) => [
    name,
    async (...args: never[]) => {
      try {
        return await run(...args);
      } catch (error) {
        throw toFailure(error);
      }
    },
  ]);
  return Object.fromEntries(wrapped) as T;
}
