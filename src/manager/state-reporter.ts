import { hostname } from 'node:os';
import type { Ledger, ProviderState } from '../ledger/ledger.ts';
import type { GuardStatus } from '../providers/guard.ts';

/** A provider in trouble has news many times a second; the ledger hears of it this often. */
const EVERY_MS = 3_000;

/** Tells the ledger how a provider looks from this process, for `cutover providers` in another one. Never waits, never throws. */
export function createStateReporter(
  ledger: Pick<Ledger, 'reportProviderState'>,
  { provider, account }: Pick<ProviderState, 'provider' | 'account'>,
) {
  const reporter = `${hostname()}:${process.pid}`;
  let latest: GuardStatus | null = null;
  let timer: NodeJS.Timeout | undefined;
  function send(): void {
    timer = undefined;
    if (latest === null) return;
    const { circuit, lastError } = latest;
    latest = null;
    timer = setTimeout(send, EVERY_MS);
    timer.unref();
    ledger
      .reportProviderState({
        ...{ provider, account, reporter, circuit, lastErrorCode: lastError?.code ?? null, lastError: lastError?.message ?? null },
        lastErrorAt: lastError?.at ?? null,
      })
      .catch(() => undefined); // the ledger has troubles of its own to report
  }
  return (status: GuardStatus): void => {
    latest = status;
    if (timer === undefined) send();
  };
}
