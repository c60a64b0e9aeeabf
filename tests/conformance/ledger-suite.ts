import { beforeAll, describe, it } from 'vitest';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { describeAccounts } from './ledger-accounts-suite.ts';
import { describeClaims } from './ledger-claims-suite.ts';
import { describeHolding } from './ledger-holding-suite.ts';
import { describeIdMap } from './ledger-id-map-suite.ts';
import { describeReading } from './ledger-reading-suite.ts';

/** What every ledger promises. `open` is called once. */
export function describeLedger(name: string, open: () => Promise<Ledger>): void {
  describe(`The ledger (${name})`, () => {
    const on = {} as { ledger: Ledger };
    beforeAll(async () => {
      on.ledger = await open();
    });

    it('can be used', async () => void (await on.ledger.check()));
    describeClaims(on);
    describeHolding(on);
    describeReading(on);
    describeAccounts(on);
    describeIdMap(on);
  });
}
