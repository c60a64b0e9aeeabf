import { ActivityFailure, ApplicationFailure, ChildWorkflowFailure, isCancellation, TimeoutFailure } from '@temporalio/workflow';
import { type ErrorJson, errorFromJson, FileManagementError, messageOf, UploadError } from '../src/domain/errors.ts';

/** What an activity or a child threw, as an error of ours again. Cancellation and everything unknown pass through. */
export function fromFailure(error: unknown): unknown {
  if (isCancellation(error)) return error;
  let cause = error;
  let step = 'a step';
  while (cause instanceof ActivityFailure || cause instanceof ChildWorkflowFailure) {
    if (cause instanceof ActivityFailure) step = cause.activityType;
    cause = cause.cause;
  }
  if (cause instanceof TimeoutFailure)
    return new UploadError(`${step} did not end in time (${cause.timeoutType}), however often it was tried`, {
      code: 'timeout',
      retryable: true,
    });
  if (!(cause instanceof ApplicationFailure)) return error;
  const details = cause.details?.[0] as ErrorJson | undefined;
  if (details?.code === undefined) return error;
  const { kind, code, provider, retryable } = details;
  return errorFromJson({ kind, message: cause.message, code, provider, retryable });
}

/** For people: what was said where it happened, also by code that is not ours. */
export function reasonOf(error: unknown): string {
  let cause = fromFailure(error);
  while ((cause instanceof ActivityFailure || cause instanceof ChildWorkflowFailure) && cause.cause !== undefined) cause = cause.cause;
  return messageOf(cause);
}

/** The end of a workflow: a plain Error would be retried by Temporal for ever. */
export function toWorkflowFailure(error: unknown): unknown {
  if (!(error instanceof FileManagementError)) return error;
  return ApplicationFailure.create({ type: error.code, message: error.message, nonRetryable: true, details: [error.toJSON()] });
}
