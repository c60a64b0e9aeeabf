import { messageOf } from '../domain/errors.ts';
import type { RolloutLedger } from '../ledger/rollout-ledger.ts';
import { type RolloutSnapshot, rolloutSnapshots } from './rollout-snapshot.ts';

/** Where they are shown: the metrics of a process. */
export interface RolloutGauges {
  /** Called whenever somebody asks for the metrics. */
  onScrape(collect: () => Promise<void>): void;
  rollouts(shown: readonly RolloutSnapshot[]): void;
}

/** Prometheus asks every few seconds, and there may be many who ask: the ledger hears of it this often. */
const FRESH_MS = 5_000;
/** A scrape is given up after ten seconds. */
const LEDGER_MS = 3_000;

/**
 * Shares and evidence are the ledger's and not a worker's: each scrape shows what is in force, whichever worker decided it. While the
 * ledger is away they are absent.
 */
export function showRollouts(
  gauges: RolloutGauges,
  ledger: Pick<RolloutLedger, 'rollouts' | 'evidence'>,
  warn: (message: string) => void,
): void {
  let readMs = Number.NEGATIVE_INFINITY;
  gauges.onScrape(async () => {
    if (performance.now() - readMs < FRESH_MS) return;
    readMs = performance.now();
    try {
      gauges.rollouts(await within(LEDGER_MS, rolloutSnapshots(ledger)));
    } catch (error) {
      gauges.rollouts([]);
      warn(`the rollouts cannot be read for the metrics: ${messageOf(error)}`);
    }
  });
}

function within<T>(ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the ledger did not answer within ${ms} ms`)), ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
