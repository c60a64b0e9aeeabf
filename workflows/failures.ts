import { ActivityFailure, ApplicationFailure, ChildWorkflowFailure, isCancellation } from '@temporalio/workflow';
import { type ErrorJson, errorFromJson, FileManagementError } from '../src/domain/errors.ts';

/** What an activity or a child threw, as an error of ours again. Cancellation and everything unknown pass through. */
export function fromFailure(error: unknown): unknown {
  if (isCancellation(error)) return error;
  const cause = error instanceof ActivityFailure || error instanceof ChildWorkflowFailure ? error.cause : error;
  if (!(cause instanceof ApplicationFailure)) return error;
  const details = cause.details?.[0] as ErrorJson | undefined;
  if (details?.code === undefined) return error;
  const { kind, code, provider, retryable } = details;
  return errorFromJson({ kind, message: cause.message, code, provider, retryable });
}

/** The end of a workflow: a plain Error would be retried by Temporal for ever. */
export function toWorkflowFailure(error: unknown): unknown {
  if (!(error instanceof FileManagementError)) return error;
  return ApplicationFailure.create({ type: error.code, message: error.message, nonRetryable: true, details: [error.toJSON()] });
}
