import { continueAsNew, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import {
  describeReconcile,
  isThrough,
  type ReconcilePage,
  type ReconcileState,
  startReconcile,
  withReconcilePage,
} from '../src/domain/reconcile-run.ts';
import { CHECK, LIST, PAGE } from './activity-options.ts';
import type { ReconcileInput } from './contract.ts';
import { inPages } from './in-pages.ts';

const checks = proxyActivities<Activities>(CHECK);
const counting = proxyActivities<Activities>(LIST);
const paging = proxyActivities<Activities>(PAGE);

/**
 * Compares the ledger with what providers hold, in both directions, and settles what was found where that is asked for. What it finds
 * is in the ledger; it ends with the counts.
 */
export async function reconcile(input: ReconcileInput): Promise<ReconcileState> {
  const { providers, order, fix, fixUnknown = false } = input;

  function nextPage({ step, at, cursor, since, doubtful = [] }: ReconcileState): Promise<ReconcilePage> {
    const provider = providers[at] ?? '';
    if (step === 'objects') return paging.compareObjects(provider, cursor, order);
    if (step === 'copies') return paging.findLostCopies(provider, cursor, since ?? '', order);
    const leaveUnknownAt = fixUnknown ? [] : doubtful.map((place) => providers[place] ?? '');
    return paging.settleFindings(cursor, order, { leaveUnknownAt });
  }
  return await inPages<ReconcileState>(input.state ?? startReconcile(Date.now()), {
    pagesPerRun: input.pagesPerRun,
    describe: (state) => describeReconcile(state, providers),
    begin: async () => ({ since: await checks.beginReconcile(providers) }),
    page: async (state) => withReconcilePage(state, await nextPage(state), { providers: providers.length, fix }),
    isThrough,
    continueWith: (state) => continueAsNew<typeof reconcile>({ ...input, state }),
    // A page that was tried twice, or given twice, was counted twice; the ledger has each finding once.
    end: async (state) => ({ counts: { ...state.counts, ...(await counting.countFindings(order.runId)) } }),
  });
}
