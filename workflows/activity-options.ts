import { ActivityCancellationType, type ActivityOptions, type LocalActivityOptions } from '@temporalio/workflow';
import type { UploadSettings } from './contract.ts';

/** Every timeout and retry of an activity, in one table. Durations that depend on configuration come in as input. */

/** How long an outage of a provider or of the ledger is waited out before a file counts as failed, in ms. */
const OUTAGE = 4 * 3_600_000;

const RETRY = { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '30 seconds' } as const;

/** One try at once, inside the workflow task; what fails there is tried again as a regular activity, where it can be seen. */
export const LOCAL: LocalActivityOptions = { startToCloseTimeout: '8 seconds', retry: { maximumAttempts: 1 } };

/** Where somebody has another place to go, an outage is told soon. */
const retryOf = ({ attempts }: UploadSettings) => (attempts === undefined ? RETRY : { ...RETRY, maximumAttempts: attempts });

/** Small calls: the ledger, a provider's metadata. */
export function small(settings: UploadSettings): ActivityOptions {
  return { startToCloseTimeout: settings.activityTimeoutMs, scheduleToCloseTimeout: OUTAGE, retry: retryOf(settings) };
}

/** Clears up behind work that is over, for an hour at most. */
export function tidy(settings: UploadSettings): ActivityOptions {
  return { startToCloseTimeout: settings.activityTimeoutMs, scheduleToCloseTimeout: '1 hour', retry: RETRY };
}

/** Reads or sends all bytes of a file: as long as the slowest acceptable rate takes; a dead worker is noticed by the heartbeat. */
export function transfer(settings: UploadSettings, sizeBytes: number): ActivityOptions {
  const bytesMs = Math.ceil((sizeBytes / settings.minBytesPerSecond) * 1000);
  return {
    startToCloseTimeout: settings.activityTimeoutMs + bytesMs,
    scheduleToCloseTimeout: OUTAGE + 2 * bytesMs,
    heartbeatTimeout: '10 seconds',
    // A claim is given up only after its transfer has stopped.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: retryOf(settings),
  };
}

/** Where the provider has a rate: on its own queue, in which a file may wait long for its turn. */
export function onProviderQueue({ providerQueue }: UploadSettings, options: ActivityOptions): ActivityOptions {
  if (providerQueue === undefined) return options;
  return { ...options, scheduleToCloseTimeout: '1 day', taskQueue: providerQueue };
}

/** Waits for somebody else's upload of the same content, however long that takes. */
export const WAIT: ActivityOptions = { startToCloseTimeout: '1 day', heartbeatTimeout: '10 seconds', retry: RETRY };

/** Reads a whole manifest or asks a provider before anything moves: an outage is told at once, not waited out. */
export const CHECK: ActivityOptions = {
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '10 seconds',
  retry: { ...RETRY, maximumAttempts: 3 },
};

/** One page of a listing. */
export const LIST: ActivityOptions = { startToCloseTimeout: '2 minutes', scheduleToCloseTimeout: OUTAGE, retry: RETRY };

/** One page of a reconciliation: a listing, some hundred small calls, or as many objects moved within their storage. */
export const PAGE: ActivityOptions = {
  startToCloseTimeout: '2 hours',
  scheduleToCloseTimeout: '8 hours',
  heartbeatTimeout: '10 seconds',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: RETRY,
};

/** Reads the files of a batch, however large they are: the heartbeat notices a dead worker. */
export const READ: ActivityOptions = { ...PAGE, startToCloseTimeout: '1 day', scheduleToCloseTimeout: '2 days' };

/** Reads what a step of a rollout has seen. What cannot be read within this time is a look without evidence, which holds the ramp. */
export const LOOK: ActivityOptions = {
  startToCloseTimeout: '15 seconds',
  scheduleToCloseTimeout: '45 seconds',
  retry: { ...RETRY, maximumInterval: '5 seconds' },
};

/** A decision about a rollout is tried until the ledger has it: a rollback is not given up. */
export const DECIDE: ActivityOptions = {
  startToCloseTimeout: '15 seconds',
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 1.5, maximumInterval: '3 seconds' },
};

/** What was compared is written for as long as the ledger may be away. */
export const RECORD: ActivityOptions = { startToCloseTimeout: '30 seconds', scheduleToCloseTimeout: OUTAGE, retry: RETRY };

/** One more run of the old path. Where nobody serves it now, a comparison goes without. */
export const control = (taskQueue: string, timeoutMs: number): ActivityOptions => ({
  ...{ taskQueue, startToCloseTimeout: timeoutMs, scheduleToStartTimeout: '30 seconds', heartbeatTimeout: '10 seconds' },
  retry: { maximumAttempts: 1 },
});

/** Nothing that a comparison uploaded may stay: it is tried for a week. */
export const QUARANTINE: ActivityOptions = { startToCloseTimeout: '2 minutes', scheduleToCloseTimeout: '7 days', retry: RETRY };
/** Reads a file at one side and writes it to the old upload path, and reads it back there; a few tries, and then whoever asked decides. */
export function toLegacy(settings: UploadSettings, sizeBytes: number, legacyQueue: string): ActivityOptions {
  const bytesMs = Math.ceil((sizeBytes / settings.minBytesPerSecond) * 1000);
  return {
    taskQueue: legacyQueue,
    startToCloseTimeout: 2 * settings.activityTimeoutMs + 3 * bytesMs,
    scheduleToCloseTimeout: OUTAGE + 9 * bytesMs,
    heartbeatTimeout: '10 seconds',
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: { ...RETRY, maximumAttempts: 3 },
  };
}
/** One question to the old upload path. Where nobody serves it now, whoever asked goes on without an answer. */
export const askLegacy = (settings: UploadSettings, legacyQueue: string): ActivityOptions => ({
  ...{ taskQueue: legacyQueue, startToCloseTimeout: settings.activityTimeoutMs, scheduleToStartTimeout: '30 seconds' },
  retry: { ...RETRY, maximumAttempts: 3 },
});
/** A page of a sweep that only the ledger is asked about. */
export const SWEEP: ActivityOptions = {
  startToCloseTimeout: '2 minutes',
  scheduleToCloseTimeout: OUTAGE,
  // What the ledger is doing at that moment is done before the sweep is counted.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: RETRY,
};

/** A page of a sweep that asks providers. When it is stopped, what it has begun ends and is recorded first. */
export const SWEEP_PROVIDERS: ActivityOptions = {
  startToCloseTimeout: '30 minutes',
  scheduleToCloseTimeout: OUTAGE,
  heartbeatTimeout: '10 seconds',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: RETRY,
};
