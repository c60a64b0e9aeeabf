import type { RetentionLedger } from '../ledger/retention-ledger.ts';
import type { GuardedProvider } from '../providers/guard.ts';
import { type Scraped, showOnScrape } from './on-scrape.ts';

export interface AgeGauges extends Scraped {
  quota(provider: string, uses: readonly { kind: string; used: number; limit: number }[]): void;
}

/** How near the oldest copy is to its end, at each provider that drops files by itself. Of the others there is no series. */
export function showAges(
  gauges: AgeGauges,
  ledger: Pick<RetentionLedger, 'copyAges'>,
  providers: readonly Pick<GuardedProvider, 'name' | 'account' | 'capabilities'>[],
  warn: (message: string) => void,
): void {
  const accounts = providers
    .filter(({ capabilities }) => capabilities.expiresAfterSeconds !== null)
    .map(({ name, account }) => ({ provider: name, account }));
  if (accounts.length === 0) return;
  const read = () => ledger.copyAges(accounts);
  const show = (ages: Awaited<ReturnType<typeof read>>) => {
    for (const { provider, share } of ages) gauges.quota(provider, [{ kind: 'age', used: share, limit: 1 }]);
  };
  showOnScrape(gauges, { what: 'the age of copies', read, show }, warn);
}
