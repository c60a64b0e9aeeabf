import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';

/**
 * How long one attempt of an activity waits for another workflow. Waiting holds one of the worker's slots, and what is waited for
 * needs slots, too: if all were held by waiters, nothing would ever move.
 */
export const TURN_MS = 5_000;

/** Ends a turn: the activity is tried again in a second or two, behind the work that is queued by then. No failure in logs or metrics. */
export function nextTurn(message: string): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'StillWaiting',
    message,
    nextRetryDelay: 1_000 + Math.random() * 1_000,
    category: ApplicationFailureCategory.BENIGN,
  });
}
