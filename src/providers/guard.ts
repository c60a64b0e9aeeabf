import { BrokenCircuitError, CircuitState, ConsecutiveBreaker, circuitBreaker, handleWhen } from 'cockatiel';
import { FileManagementError, ProviderUnavailableError } from '../domain/errors.ts';
import type { Held, QuotaUse } from '../domain/quota.ts';
import type { Download, Provider } from './provider.ts';
import { watchQuota } from './quota.ts';

export type Circuit = 'closed' | 'open' | 'half_open';

/** How a provider looks from this process. */
export interface GuardStatus {
  circuit: Circuit;
  lastError: { code: string; message: string; at: string } | null;
  /** Objects too many that were deleted. */
  surplus: number;
}

export interface GuardOptions {
  /** Outages in a row after which the provider is left alone. */
  failures: number;
  /** For how long, in ms. */
  openMs: number;
  /** The circuit has changed, or there is a new last error. */
  onChange?: (status: GuardStatus) => void;
  onNearlyFull?: (use: QuotaUse) => void;
}

/** A provider with all that surrounds its calls. */
export interface GuardedProvider extends Provider {
  status(): GuardStatus;
  /** What the account holds; null where no limit is documented. */
  held(signal: AbortSignal): Promise<Held | null>;
  /** For the provider's own `onSurplus`. */
  countSurplus(): void;
}

/** Errors of a server that is there and says "later", or of two that want the same: no outage. */
const NO_OUTAGE = new Set(['rate_limited', 'circuit_open', 'locked', 'conflict', 'claim_lost', 'file_changed']);

/** The provider or the way to it is down. The caller's mistakes, aborts and troubles of the place that bytes come from are none. */
const isOutageOf = (provider: string) => (error: unknown) =>
  error instanceof FileManagementError && error.provider === provider && error.retryable && !NO_OUTAGE.has(error.code);

/**
 * A circuit breaker and a watch over the quota around a provider, for every vendor alike. While the circuit is open, calls fail at
 * once with `circuit_open` and say when to come back; then one call is let through to see.
 */
export function guarded(provider: Provider, { failures, openMs, onChange, onNearlyFull = () => undefined }: GuardOptions): GuardedProvider {
  const breaker = circuitBreaker(handleWhen(isOutageOf(provider.name)), {
    halfOpenAfter: openMs,
    breaker: new ConsecutiveBreaker(failures),
  });
  const quota = watchQuota({ provider, onNearlyFull });
  let lastError: GuardStatus['lastError'] = null;
  let openedAt = 0;
  let surplus = 0;

  const status = (): GuardStatus => ({ circuit: circuitOf(breaker.state), lastError, surplus });
  breaker.onStateChange((state) => {
    if (state === CircuitState.Open) openedAt = performance.now();
    onChange?.(status());
  });
  function explained(error: unknown): unknown {
    if (!(error instanceof BrokenCircuitError)) {
      if (error instanceof FileManagementError && error.provider === provider.name && error.code !== 'circuit_open') {
        lastError = { code: error.code, message: error.message, at: new Date().toISOString() };
        onChange?.(status());
      }
      return error;
    }
    const waitMs = Math.max(0, Math.ceil(openMs - (performance.now() - openedAt)));
    const because = lastError === null ? '' : ` (${lastError.message})`;
    return new ProviderUnavailableError(
      `${provider.name} failed ${failures} times in a row and is left alone for ${Math.ceil(waitMs / 1000)} s more${because}`,
      { code: 'circuit_open', provider: provider.name, retryable: true, retryAfterMs: waitMs },
    );
  }
  async function run<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await breaker.execute(work);
    } catch (error) {
      throw explained(error);
    }
  }
  /** A stream that breaks off is an outage, too, although its call has ended well. */
  async function* watched<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
    try {
      yield* items;
    } catch (error) {
      await breaker.execute(() => Promise.reject(error)).catch(() => undefined);
      throw explained(error);
    }
  }

  return {
    name: provider.name,
    account: provider.account,
    capabilities: provider.capabilities,
    ...(provider.buckets === undefined ? {} : { buckets: provider.buckets }),
    status,
    held: quota.held,
    countSurplus() {
      surplus += 1;
    },
    idOf: provider.idOf,
    check: (signal) => run(() => provider.check(signal)),
    info: (id, signal) => run(() => provider.info(id, signal)),
    find: (identity, signal) => run(() => provider.find(identity, signal)),
    async upload(request) {
      const stored = await run(async () => {
        await quota.admit({ purpose: request.purpose, sizeBytes: request.body.sizeBytes }, request.signal);
        return await provider.upload(request);
      });
      quota.changed({ files: 1, bytes: stored.sizeBytes, purpose: stored.purpose ?? request.purpose });
      return stored;
    },
    async delete(id, signal) {
      const deleted = await run(() => provider.delete(id, signal));
      // Of which purpose and size is not known any more: the next count tells.
      if (deleted) quota.changed({ files: -1, bytes: 0, purpose: null });
      return deleted;
    },
    async download(id, options): Promise<Download> {
      const download = await run(() => provider.download(id, options));
      return { ...download, chunks: watched(download.chunks) };
    },
    async *list(options) {
      if (breaker.state === CircuitState.Open) await run(() => Promise.reject(new Error('the circuit is open')));
      yield* watched(provider.list(options));
    },
  };
}

function circuitOf(state: CircuitState): Circuit {
  if (state === CircuitState.HalfOpen) return 'half_open';
  return state === CircuitState.Closed ? 'closed' : 'open';
}
