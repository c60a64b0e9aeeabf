import { CircuitState, ConsecutiveBreaker, circuitBreaker, handleWhen } from 'cockatiel';
import { FileManagementError, messageOf, ProviderUnavailableError } from '../domain/errors.ts';
import type { Provider } from './provider.ts';
import { sharedCall } from './shared-call.ts';

export type Circuit = 'closed' | 'open' | 'half_open';

export interface CircuitOptions {
  provider: Pick<Provider, 'name' | 'check'>;
  /** Outages in a row after which the provider is left alone. */
  failures: number;
  /** For how long, in ms. */
  openMs: number;
  onChange: () => void;
  /** What the trial call failed with. */
  onError: (error: unknown) => void;
}

export interface GuardCircuit {
  state(): Circuit;
  /** Of that state, ISO 8601. */
  since(): string;
  /** Resolves when calls may be made. Throws ProviderUnavailableError `circuit_open`, with what is left of the time. */
  enter(signal: AbortSignal): Promise<void>;
  succeeded(): Promise<void>;
  /** Anything may be handed in: outages of this provider count. */
  failed(error: unknown): Promise<void>;
}

/** Errors of a server that is there and says "later", or of two that want the same: no outage. */
const NO_OUTAGE = new Set(['rate_limited', 'locked', 'conflict', 'claim_lost', 'file_changed']);

/** The provider or the way to it is down. The caller's mistakes, aborts and troubles of the place that bytes come from are none. */
const isOutageOf = (provider: string) => (error: unknown) =>
  error instanceof FileManagementError && error.provider === provider && error.retryable && !NO_OUTAGE.has(error.code);

/**
 * Opens after outages in a row, and is tried after its time by one `check` for all who wait: a caller's own call could be the
 * transfer of an hour, or be aborted, and would tell nothing until then. cockatiel keeps the state.
 */
export function createCircuit({ provider, failures, openMs, onChange, onError }: CircuitOptions): GuardCircuit {
  const { name } = provider;
  const breaker = circuitBreaker(handleWhen(isOutageOf(name)), { halfOpenAfter: openMs, breaker: new ConsecutiveBreaker(failures) });
  let changedAt = new Date();
  let openUntil = 0;
  let because = '';
  breaker.onFailure(({ handled, reason }) => {
    if (handled && 'error' in reason) because = messageOf(reason.error);
  });
  breaker.onStateChange((state) => {
    changedAt = new Date();
    if (state === CircuitState.Open) openUntil = performance.now() + openMs;
    onChange();
  });
  const isClosed = () => breaker.state === CircuitState.Closed;

  const trial = sharedCall(async (signal) => {
    await breaker
      .execute(async () => {
        try {
          await provider.check(signal);
        } catch (error) {
          // An abort would count as a success. Nobody has heard an answer.
          throw signal.aborted ? unavailable('unavailable', 'was given up before it answered', 0) : error;
        }
      })
      // What is no outage closes the circuit: the calls themselves will say what is wrong.
      .catch(onError);
  });
  function unavailable(code: string, message: string, retryAfterMs: number): ProviderUnavailableError {
    return new ProviderUnavailableError(`${name} ${message}`, { code, provider: name, retryable: true, retryAfterMs });
  }
  /** A call that began before the circuit opened has nothing to say about it any more. */
  async function count(outcome: () => Promise<void>): Promise<void> {
    if (isClosed()) await breaker.execute(outcome).catch(() => undefined);
  }

  return {
    state: () => (isClosed() ? 'closed' : breaker.state === CircuitState.HalfOpen ? 'half_open' : 'open'),
    since: () => changedAt.toISOString(),
    async enter(signal) {
      if (isClosed()) return;
      if (performance.now() >= openUntil) await trial(signal);
      if (isClosed()) return;
      const leftMs = Math.max(0, Math.ceil(openUntil - performance.now()));
      const message = `failed ${failures} times in a row and is left alone for ${Math.ceil(leftMs / 1000)} s more (${because})`;
      throw unavailable('circuit_open', message, leftMs);
    },
    succeeded: () => count(async () => undefined),
    failed: (error) => count(() => Promise.reject(error)),
  };
}
