import { type Held, hasQuota, NEARLY_FULL, NOTHING_HELD, type QuotaUse, quotaRefusal, quotaUses, withChange } from '../domain/quota.ts';
import type { Provider } from './provider.ts';
import { sharedCall } from './shared-call.ts';

/** An account is counted again after this, because others use it too. */
const FRESH_MS = 60_000;
/** Nothing is refused by an older count than this: somebody may have made room. */
const FRESH_FOR_REFUSAL_MS = 5_000;

/** Room for one file. */
export interface Reservation {
  /** The file is there. */
  taken(): void;
  /** Nothing more will come of it. Idempotent. */
  release(): void;
}

export interface QuotaWatch {
  /** What the account holds now: counted from the provider's own list, kept for a minute. Null where no limit is documented. */
  held(signal: AbortSignal): Promise<Held | null>;
  /** Throws UploadError `quota_exceeded` where this file would pass a limit, together with those that are on their way. */
  reserve(file: { purpose: string; sizeBytes: number }, signal: AbortSignal): Promise<Reservation>;
  /** This process has deleted a file, of which purpose and size are not known any more. */
  removed(): void;
}

export interface QuotaOptions {
  provider: Pick<Provider, 'name' | 'capabilities' | 'list'>;
  /** Told once when a limit comes near, and again when it was left and comes near again. */
  onNearlyFull: (use: QuotaUse) => void;
  /** Told of every limit whenever the account was counted, or this process has added to it. */
  onCounted?: (uses: readonly QuotaUse[]) => void;
  now?: () => number;
}

/** Counts what an account holds, so that a limit is named before it is passed. */
export function watchQuota({ provider, onNearlyFull, onCounted, now = Date.now }: QuotaOptions): QuotaWatch {
  const { name, capabilities } = provider;
  const limited = hasQuota(capabilities);
  const underWay = new Set<{ purpose: string; sizeBytes: number }>();
  let counted: { held: Held; atMs: number } | null = null;
  const told = new Set<string>();

  function keep(held: Held, atMs: number): Held {
    counted = { held, atMs };
    const uses = quotaUses(capabilities, held);
    onCounted?.(uses);
    for (const use of uses) {
      const key = `${use.kind} ${use.purpose}`;
      if (use.used < NEARLY_FULL * use.limit) told.delete(key);
      else if (!told.has(key)) {
        told.add(key);
        onNearlyFull(use);
      }
    }
    return held;
  }
  const count = sharedCall(async (signal) => {
    let held = NOTHING_HELD;
    for await (const { objects } of provider.list({ signal }))
      for (const { sizeBytes, purpose } of objects) held = withChange(held, { files: 1, bytes: sizeBytes, purpose });
    return keep(held, now());
  });
  const isFresh = (forMs: number) => counted !== null && now() - counted.atMs < forMs;
  const known = async (signal: AbortSignal, forMs: number): Promise<Held> =>
    counted !== null && isFresh(forMs) ? counted.held : await count(signal);
  function refusalOf(held: Held, file: { purpose: string; sizeBytes: number }) {
    let all = held;
    for (const { sizeBytes, purpose } of underWay) all = withChange(all, { files: 1, bytes: sizeBytes, purpose });
    return quotaRefusal(name, capabilities, all, file);
  }

  return {
    held: async (signal) => (limited ? await known(signal, FRESH_MS) : null),
    async reserve(file, signal) {
      const place = { ...file };
      if (limited) {
        const refused = refusalOf(await known(signal, FRESH_MS), file);
        const refusal = refused === null ? null : refusalOf(await known(signal, FRESH_FOR_REFUSAL_MS), file);
        if (refusal !== null) throw refusal;
        underWay.add(place);
      }
      return {
        taken() {
          if (!underWay.delete(place) || counted === null) return;
          keep(withChange(counted.held, { files: 1, bytes: file.sizeBytes, purpose: file.purpose }), counted.atMs);
        },
        release: () => void underWay.delete(place),
      };
    },
    removed() {
      // How much room that made is seen at the next count, which comes before a refusal.
      if (counted !== null) counted = { held: counted.held, atMs: Math.min(counted.atMs, now() - FRESH_FOR_REFUSAL_MS) };
    },
  };
}
