import { FileManagementError, FileNotFoundError, ValidationError } from '../domain/errors.ts';
import type { Held, QuotaUse } from '../domain/quota.ts';
import { type Circuit, createCircuit } from './guard-circuit.ts';
import type { Provider, StoredObject, UploadRequest } from './provider.ts';
import { watchQuota } from './quota.ts';

/** How a provider looks from this process. */
export interface GuardStatus {
  circuit: Circuit;
  /** When the circuit came to be so, ISO 8601. */
  since: string;
  /** Of the provider; a caller's mistake is none. */
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
  onCounted?: (uses: readonly QuotaUse[]) => void;
}

/** A provider with all that surrounds its calls. */
export interface GuardedProvider extends Provider {
  status(): GuardStatus;
  /** What the account holds; null where no limit is documented. */
  held(signal: AbortSignal): Promise<Held | null>;
  /** For the provider's own `onSurplus`. */
  countSurplus(): void;
  /** The same circuit and quota around another instance of this provider, which has other time limits. */
  around(other: Provider): Provider;
}

/**
 * A circuit breaker and a watch over the quota around a provider, for every vendor alike. While the circuit is open, calls fail at
 * once with `circuit_open` and say when to come back.
 */
export function guarded(provider: Provider, options: GuardOptions): GuardedProvider {
  const { failures, openMs, onChange, onNearlyFull = () => undefined, onCounted } = options;
  const quota = watchQuota({ provider, onNearlyFull, ...(onCounted === undefined ? {} : { onCounted }) });
  let lastError: GuardStatus['lastError'] = null;
  let surplus = 0;
  const changed = () => onChange?.(status());
  const circuit = createCircuit({ provider, failures, openMs, onChange: changed, onError: note });
  const status = (): GuardStatus => ({ circuit: circuit.state(), since: circuit.since(), lastError, surplus });

  function note(error: unknown): void {
    if (!(error instanceof FileManagementError) || error.provider !== provider.name) return;
    if (error instanceof ValidationError || error instanceof FileNotFoundError) return;
    lastError = { code: error.code, message: error.message, at: new Date().toISOString() };
    changed();
  }
  async function fail(error: unknown): Promise<never> {
    note(error);
    await circuit.failed(error);
    throw error;
  }
  async function run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await circuit.enter(signal);
    const result = await work().catch(fail);
    await circuit.succeeded();
    return result;
  }
  async function upload(at: Provider, request: UploadRequest): Promise<StoredObject> {
    const { purpose, body, signal } = request;
    const place = await quota.reserve({ purpose, sizeBytes: body.sizeBytes }, signal).catch(async (refusal: unknown) => {
      // What an earlier attempt has left needs no room any more.
      const left = request.retried && isQuotaPassed(refusal) ? await at.find({ ...request, sizeBytes: body.sizeBytes }, signal) : null;
      if (left === null) throw refusal;
      return left;
    });
    if ('id' in place) return place;
    try {
      const stored = await at.upload(request);
      place.taken();
      return stored;
    } finally {
      place.release();
    }
  }
  /** A download has gone well when its last byte came. */
  async function* watched(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* chunks;
    } catch (error) {
      await fail(error);
    }
    await circuit.succeeded();
  }

  function around(at: Provider): Provider {
    const { copy } = at;
    return {
      name: at.name,
      account: at.account,
      capabilities: at.capabilities,
      ...(at.buckets === undefined ? {} : { buckets: at.buckets }),
      ...(copy === undefined ? {} : { copy: (object, key, signal) => run(signal, () => copy(object, key, signal)) }),
      idOf: at.idOf,
      check: (signal) => run(signal, () => at.check(signal)),
      info: (id, signal) => run(signal, () => at.info(id, signal)),
      find: (identity, signal) => run(signal, () => at.find(identity, signal)),
      upload: (request) => run(request.signal, () => upload(at, request)),
      async delete(id, signal) {
        const deleted = await run(signal, () => at.delete(id, signal));
        if (deleted) quota.removed();
        return deleted;
      },
      async download(id, options) {
        await circuit.enter(options.signal);
        const download = await at.download(id, options).catch(fail);
        return { ...download, chunks: watched(download.chunks) };
      },
      async *list(options) {
        const pages = at.list(options)[Symbol.asyncIterator]();
        try {
          for (;;) {
            const page = await run(options.signal, () => pages.next());
            if (page.done === true) return;
            yield page.value;
          }
        } finally {
          await pages.return?.();
        }
      },
    };
  }

  return {
    ...around(provider),
    status,
    held: quota.held,
    countSurplus() {
      surplus += 1;
    },
    around,
  };
}

const isQuotaPassed = (error: unknown) => error instanceof FileManagementError && error.code === 'quota_exceeded';
