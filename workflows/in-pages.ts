import {
  allHandlersFinished,
  CancellationScope,
  condition,
  isCancellation,
  setCurrentDetails,
  setHandler,
  TemporalFailure,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { PagedRun } from '../src/domain/paged-run.ts';
import { cancelSignal, PHASE, pagedStatusQuery, pauseSignal, resumeSignal } from './contract.ts';
import { fromFailure, toWorkflowFailure } from './failures.ts';

export interface Pages<S extends PagedRun> {
  describe(state: S): string;
  /** What has to be known before the first page. */
  begin(state: S): Promise<Partial<S>>;
  /** Does one page. What it hands back is what the page changed: the phase is not its business. */
  page(state: S): Promise<S>;
  isThrough(state: S): boolean;
  /** Goes on in a new run of the workflow. */
  continueWith(state: S): Promise<never>;
  /** What is known only at the end, also of one that was cancelled. */
  end(state: S): Promise<Partial<S>>;
  /** In one run of the workflow, so that its history stays short. */
  pagesPerRun: number;
}

/**
 * A workflow that goes through something page by page, and is paused, resumed and cancelled between two pages. A page is an activity
 * that may be done again, so nothing is lost wherever it stops.
 */
export async function inPages<S extends PagedRun>(start: S, pages: Pages<S>): Promise<S> {
  let state = start;
  let paused = state.phase === 'paused';
  let stopping = false;

  function show(change: Partial<S>): void {
    const before = state.phase;
    state = { ...state, ...change, updatedAtMs: Date.now() };
    setCurrentDetails(pages.describe(state));
    if (state.phase !== before) upsertSearchAttributes([{ key: PHASE, value: state.phase }]);
  }
  const phase = (name: PagedRun['phase'], reason: string | null) => show({ phase: name, reason } as Partial<S>);
  setHandler(pagedStatusQuery, () => state);
  setHandler(pauseSignal, (argument) => {
    if (stopping) return;
    paused = true;
    phase('paused', argument?.reason ?? null);
  });
  setHandler(resumeSignal, () => {
    if (stopping || !paused) return;
    paused = false;
    phase('running', null);
  });
  setHandler(cancelSignal, (argument) => {
    stopping = true;
    phase('cancelling', argument?.reason ?? null);
  });

  try {
    upsertSearchAttributes([{ key: PHASE, value: state.phase }]);
    show({});
    // Not by the phase: a pause may come before the first step.
    if (start.runs === 1) {
      show(await pages.begin(state));
      if (!paused && !stopping) phase('running', null);
    }
    for (let done = 0; !pages.isThrough(state); done += 1) {
      await condition(() => stopping || !paused);
      if (stopping) break;
      if (done >= pages.pagesPerRun || workflowInfo().continueAsNewSuggested) {
        await condition(allHandlersFinished);
        // A signal that came with the last page must not be lost between two runs.
        if (!stopping) await pages.continueWith({ ...state, runs: state.runs + 1 });
        continue;
      }
      const { phase: _, reason: __, ...rest } = await pages.page(state);
      show(rest as unknown as Partial<S>);
    }
  } catch (error) {
    const failure = toWorkflowFailure(fromFailure(error));
    if (!(failure instanceof TemporalFailure)) throw failure;
    if (isCancellation(failure)) phase('cancelled', 'cancelled in Temporal');
    throw failure;
  }
  const last = await CancellationScope.nonCancellable(() => pages.end(state));
  show(last);
  phase(stopping && !pages.isThrough(state) ? 'cancelled' : 'done', state.reason);
  await condition(allHandlersFinished);
  return state;
}
