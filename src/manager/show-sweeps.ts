import type { RetentionLedger } from '../ledger/retention-ledger.ts';
import { type Scraped, showOnScrape } from './on-scrape.ts';

export interface SweepGauges extends Scraped {
  /** @param atMs since 1970 */
  sweepSucceeded(atMs: number): void;
  sweepInterval(ms: number): void;
}

/**
 * When the last sweep came to its end, as the ledger has it: also after all workers have been restarted. And how far apart they should
 * be, so that an alert knows how many were missed.
 */
export function showSweeps(
  gauges: SweepGauges,
  ledger: Pick<RetentionLedger, 'retentionState'>,
  intervalMs: number,
  warn: (message: string) => void,
): void {
  gauges.sweepInterval(intervalMs);
  const read = async () => (await ledger.retentionState()).lastSuccess?.endedAt ?? null;
  const show = (endedAt: string | null) => {
    if (endedAt !== null) gauges.sweepSucceeded(Date.parse(endedAt));
  };
  showOnScrape(gauges, { what: 'the last sweep', read, show }, warn);
}
