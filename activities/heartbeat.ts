import { activityInfo, heartbeat } from '@temporalio/activity';

const EVERY_MS = 1_000;

/**
 * Heartbeats each second while `run` lasts, with the details as they are then: a worker that dies is noticed, and a provider that
 * is slow is not taken for one. A local activity is part of a workflow task, which the SDK keeps alive itself.
 */
export async function heartbeating<T, D = undefined>(details: D, run: () => Promise<T>): Promise<T> {
  if (activityInfo().isLocal) return await run();
  heartbeat(details);
  const timer = setInterval(() => heartbeat(details), EVERY_MS);
  try {
    return await run();
  } finally {
    clearInterval(timer);
  }
}
