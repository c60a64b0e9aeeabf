import { setTimeout as sleep } from 'node:timers/promises';
import { FileManagementError } from '../domain/errors.ts';

export interface RetryPolicy {
  /** Attempts after the first (MAX_RETRY_ATTEMPTS). */
  maxRetries: number;
  /** No attempt starts later than this after the first one did, in ms. */
  budgetMs: number;
  baseMs?: number;
  capMs?: number;
  /** Only errors of this code are worth another attempt here: an inner layer has retried the others. */
  only?: string;
}

/**
 * The wait before retry `retry` (from 0), in ms: exponential with full jitter.
 * Source: AWS Architecture Blog, "Exponential Backoff And Jitter": random(0, min(cap, base · 2^n)).
 */
export function backoffMs(
  retry: number,
  { baseMs = 200, capMs = 10_000 }: Pick<RetryPolicy, 'baseMs' | 'capMs'>,
  random = Math.random,
): number {
  return random() * Math.min(capMs, baseMs * 2 ** retry);
}

/**
 * Repeats `attempt` while its error says that this can help, up to the policy's count and budget, and never sooner than the
 * other side asked. Throws the last error, or the signal's reason as soon as it aborts.
 */
export async function withRetries<T>(policy: RetryPolicy, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  const started = performance.now();
  for (let retry = 0; ; retry++) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof FileManagementError) || !error.retryable || retry >= policy.maxRetries) throw error;
      if (policy.only !== undefined && error.code !== policy.only) throw error;
      const waitMs = Math.max(backoffMs(retry, policy), error.retryAfterMs ?? 0);
      if (performance.now() - started + waitMs >= policy.budgetMs) throw error;
      await sleep(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}
