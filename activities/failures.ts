import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { FileManagementError, messageOf } from '../src/domain/errors.ts';

/** A provider's Retry-After is honoured up to here; one answer must not stop a queue. */
const LONGEST_RETRY_DELAY_MS = 60_000;
/** And where somebody stands by who can do it instead, nobody waits for longer than this. */
const LONGEST_WITH_ANOTHER_WAY_MS = 5_000;

/**
 * The one place where our errors become Temporal's: type = kind, first detail = `toJSON()`. Errors that are not ours are retried.
 * @param anotherWay whether the caller has one: a delay as long as a circuit rests is told then, not waited for
 */
export function toFailure(error: unknown, { anotherWay = false } = {}): Error {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) return error;
  if (!(error instanceof FileManagementError)) return error instanceof Error ? error : new Error(messageOf(error));
  return ApplicationFailure.create({
    type: error.name,
    message: error.message,
    nonRetryable: !error.retryable || (anotherWay && (error.retryAfterMs ?? 0) > LONGEST_WITH_ANOTHER_WAY_MS),
    details: [error.toJSON()],
    ...(error.retryAfterMs === undefined ? {} : { nextRetryDelay: Math.min(error.retryAfterMs, LONGEST_RETRY_DELAY_MS) }),
  });
}

/** An upload whose settings name how often a step is tried is one for which somebody stands by. */
const isTriedSeldom = (input: { settings?: { attempts?: number } } | undefined): boolean => input?.settings?.attempts !== undefined;

/** Wraps each function, so that none forgets. */
export function mapErrors<T extends Record<string, (...args: never[]) => Promise<unknown>>>(functions: T): T {
  const wrapped = Object.entries(functions).map(([name, run]) => [
    name,
    async (...args: never[]) => {
      try {
        return await run(...args);
      } catch (error) {
        throw toFailure(error, { anotherWay: isTriedSeldom(args[0]) });
      }
    },
  ]);
  return Object.fromEntries(wrapped) as T;
}
