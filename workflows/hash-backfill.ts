import { continueAsNew, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { type BackfillState, describeBackfill, startBackfill, withBackfillPage } from '../src/domain/backfill-run.ts';
import { CHECK, READ } from './activity-options.ts';
import type { BackfillInput } from './contract.ts';
import { inPages } from './in-pages.ts';

const checks = proxyActivities<Activities>(CHECK);
const reading = proxyActivities<Activities>(READ);

/** Reads every file that was recorded without a hash, batch by batch, and records it. A dry run reads them all the same. */
export async function hashBackfill(input: BackfillInput): Promise<BackfillState> {
  const { order } = input;
  return await inPages<BackfillState>(input.state ?? startBackfill(Date.now(), order.dryRun), {
    pagesPerRun: input.pagesPerRun,
    describe: describeBackfill,
    begin: async () => ({ before: await checks.beginBackfill(order) }),
    page: async (state) => withBackfillPage(state, await reading.hashBatch(state.cursor, order)),
    isThrough: ({ exhausted }) => exhausted,
    continueWith: (state) => continueAsNew<typeof hashBackfill>({ ...input, state }),
    end: async () => ({}),
  });
}
