import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  TemporalFailure,
  upsertSearchAttributes,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { afterPage, describeSweep, type SweepProgress, type SweptPage, startSweep } from '../src/domain/retention.ts';
import { SWEEP, SWEEP_PROVIDERS } from './activity-options.ts';
import { PHASE, pauseSignal, resumeSignal, STATUS, type SweepInput, stopSignal, sweepStatusQuery } from './contract.ts';
import { fromFailure, toWorkflowFailure } from './failures.ts';

const ledger = proxyActivities<Activities>(SWEEP);
const providers = proxyActivities<Activities>(SWEEP_PROVIDERS);

/**
 * Marks what has expired, what failed uploads have left and, where an account is nearly full, what is oldest; then deletes the objects
 * whose grace is over. The database decides, page by page, what goes. A signal to stop is heeded in the middle of a page, after what
 * it has begun is done and recorded.
 */
export async function retentionSweep(input: SweepInput): Promise<SweepProgress> {
  let progress = input.progress ?? startSweep(uuid4(), input.dryRun, Date.now());
  const pagesBefore = progress.pages;
  const of = { runId: progress.runId, dryRun: input.dryRun };
  let paused = progress.status === 'paused';
  let stopping = progress.status === 'stopping';
  let working: CancellationScope | null = null;

  function show(change: Partial<SweepProgress>): void {
    const before = progress;
    progress = { ...progress, ...change, updatedAtMs: Date.now() };
    setCurrentDetails(describeSweep(progress));
    if (progress.status !== before.status || progress.phase !== before.phase) tell();
  }
  const tell = (): void =>
    upsertSearchAttributes([
      { key: STATUS, value: progress.status },
      { key: PHASE, value: progress.phase },
    ]);
  function stop(reason: string | null): void {
    stopping = true;
    show({ status: 'stopping', reason });
    working?.cancel();
  }
  const isOver = (): boolean => progress.phase === 'recording' || progress.phase === 'over';
  setHandler(sweepStatusQuery, () => progress);
  setHandler(pauseSignal, (argument) => {
    if (stopping || isOver()) return;
    paused = true;
    show({ status: 'paused', reason: argument?.reason ?? null });
  });
  setHandler(resumeSignal, () => {
    if (stopping || !paused) return;
    paused = false;
    show({ status: 'running', reason: null });
  });
  setHandler(stopSignal, (argument) => {
    if (!isOver()) stop(argument?.reason ?? null);
  });

  async function nextPage({ phase, cursor }: SweepProgress): Promise<SweptPage> {
    if (phase === 'expired') return await ledger.sweepExpired(of, cursor, input.filesPerPage);
    if (phase === 'orphaned') return await ledger.sweepOrphaned(of, cursor, input.filesPerPage);
    if (phase === 'quota') return await providers.sweepQuota(of, input.quota);
    if (phase === 'purge') return await providers.sweepPurge(of, cursor, input.purgesPerPage, input.concurrency);
    await ledger.beginSweep(of, input.rules);
    return { next: null, counts: [] };
  }
  /** Page after page, until nothing is left to do or somebody stops it. */
  async function sweep(): Promise<void> {
    while (!isOver()) {
      await condition(() => stopping || !paused);
      if (stopping) return;
      if (progress.pages - pagesBefore >= input.pagesPerRun || workflowInfo().continueAsNewSuggested) {
        await condition(allHandlersFinished);
        if (stopping) return;
        await continueAsNew<typeof retentionSweep>({ ...input, progress });
      }
      const scope = new CancellationScope();
      working = scope;
      try {
        const page = await scope.run(() => nextPage(progress));
        show(afterPage(progress, page));
      } catch (error) {
        // Stopped by the signal before the page had begun, or at a step that can be left.
        if (!(stopping && isCancellation(error))) throw error;
      } finally {
        working = null;
      }
    }
  }

  let ending: unknown = null;
  tell();
  show({});
  try {
    await sweep();
  } catch (error) {
    const failure = toWorkflowFailure(fromFailure(error));
    // Continuing as new is thrown, too; and a mistake of ours is for Temporal to try again with a better worker.
    if (!(failure instanceof TemporalFailure)) throw failure;
    ending = failure;
  }
  const cancelled = ending !== null && isCancellation(ending);
  if (cancelled) stop('cancelled in Temporal');
  const status = ending !== null && !cancelled ? 'failed' : stopping ? 'stopped' : 'completed';
  const reason = status === 'failed' ? (ending as TemporalFailure).message : progress.reason;
  const begun = progress.phase !== 'beginning';
  show({ phase: 'recording' });
  await CancellationScope.nonCancellable(async () => {
    try {
      // What has not begun is not in the ledger.
      if (begun) show({ counts: await ledger.endSweep(of, { status, reason, notes: progress.notes }) });
    } catch (error) {
      // A sweep that failed because of the ledger cannot tell it so; the one after it does.
      if (ending === null) throw toWorkflowFailure(fromFailure(error));
    }
    await condition(allHandlersFinished);
  });
  show({ status, phase: 'over', reason });
  if (ending !== null) throw ending;
  return progress;
}
