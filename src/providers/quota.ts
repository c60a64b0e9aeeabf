import { type Held, hasQuota, NEARLY_FULL, NOTHING_HELD, type QuotaUse, quotaRefusal, quotaUses, withChange } from '../domain/quota.ts';
import type { Provider } from './provider.ts';

/** An account is counted again after this, because others use it too. */
const FRESH_MS = 60_000;

export interface QuotaWatch {
  /** What the account holds now: counted from the provider's own list, kept for a minute. Null where no limit is documented. */
  held(signal: AbortSignal): Promise<Held | null>;
  /** Throws UploadError `quota_exceeded` where this file would pass a limit. */
  admit(file: { purpose: string; sizeBytes: number }, signal: AbortSignal): Promise<void>;
  /** Files that this process has added (or, with negative numbers, removed). */
  changed(change: { files: number; bytes: number; purpose: string | null }): void;
}

export interface QuotaOptions {
  provider: Pick<Provider, 'name' | 'capabilities' | 'list'>;
  /** Told once when a limit comes near, and again when it was left and comes near again. */
  onNearlyFull: (use: QuotaUse) => void;
  now?: () => number;
}

/** Counts what an account holds, so that a limit is named before it is passed. */
export function watchQuota({ provider, onNearlyFull, now = Date.now }: QuotaOptions): QuotaWatch {
  const { name, capabilities } = provider;
  const limited = hasQuota(capabilities);
  let counted: { held: Held; atMs: number } | null = null;
  let counting: Promise<Held> | null = null;
  const told = new Set<string>();

  function watch(held: Held): Held {
    for (const use of quotaUses(capabilities, held)) {
      const key = `${use.kind} ${use.purpose}`;
      if (use.used < NEARLY_FULL * use.limit) told.delete(key);
      else if (!told.has(key)) {
        told.add(key);
        onNearlyFull(use);
      }
    }
    return held;
  }
  async function count(signal: AbortSignal): Promise<Held> {
    let held = NOTHING_HELD;
    for await (const { objects } of provider.list({ signal }))
      for (const { sizeBytes, purpose } of objects) held = withChange(held, { files: 1, bytes: sizeBytes, purpose });
    counted = { held, atMs: now() };
    return watch(held);
  }
  async function held(signal: AbortSignal): Promise<Held | null> {
    if (!limited) return null;
    if (counted !== null && now() - counted.atMs < FRESH_MS) return counted.held;
    // Several uploads at once share one count.
    counting ??= count(signal).finally(() => {
      counting = null;
    });
    return await counting;
  }
  return {
    held,
    async admit(file, signal) {
      const known = await held(signal);
      const refusal = known === null ? null : quotaRefusal(name, capabilities, known, file);
      if (refusal !== null) throw refusal;
    },
    changed(change) {
      if (counted !== null) counted = { ...counted, held: watch(withChange(counted.held, change)) };
    },
  };
}
