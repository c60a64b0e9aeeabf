import type { RolloutLedger } from '../ledger/rollout-ledger.ts';
import { type Scraped, showOnScrape } from './on-scrape.ts';
import { type RolloutSnapshot, rolloutSnapshots } from './rollout-snapshot.ts';

export interface RolloutGauges extends Scraped {
  rollouts(shown: readonly RolloutSnapshot[]): void;
}

/** Shares and evidence, as the ledger has them. While it is away they are absent. */
export function showRollouts(
  gauges: RolloutGauges,
  ledger: Pick<RolloutLedger, 'rollouts' | 'evidence'>,
  warn: (message: string) => void,
): void {
  const read = () => rolloutSnapshots(ledger);
  showOnScrape(gauges, { what: 'the rollouts', read, show: (shown) => gauges.rollouts(shown), hide: () => gauges.rollouts([]) }, warn);
}
