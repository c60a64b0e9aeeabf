import {
  ActivityFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities, LegacyActivities } from '../activities/index.ts';
import { describeRehome, type Rehomed, type RehomeState, startRehome, withRehomed } from '../src/domain/rehome.ts';
import { LIST, toLegacy } from './activity-options.ts';
import { cancelSignal, pauseSignal, type RehomeInput, rehomeStatusQuery, resumeSignal, STATUS, TOOL } from './contract.ts';
import { fromFailure, reasonOf, toWorkflowFailure } from './failures.ts';

const listing = proxyActivities<Activities>(LIST);
type Listed = Awaited<ReturnType<Activities['listOnlyAtUnified']>>[number];

/**
 * Copies the files of a tool that only unified holds into legacy storage, page by page, and checks each copy. Ends with the totals;
 * what has a copy is in the ledger, so that a second run takes up what the first one left.
 */
export async function rehome(input: RehomeInput): Promise<RehomeState> {
  const { tool, since, verify, concurrency, pageSize, legacyQueue, settings } = input;
  let state: RehomeState = input.state ?? startRehome(Date.now());
  let paused = state.phase === 'paused';
  let inThisRun = 0;
  const scope = new CancellationScope();

  function show(change: Partial<RehomeState>): void {
    const before = state.phase;
    state = { ...state, ...change, updatedAtMs: Date.now() };
    setCurrentDetails(describeRehome(tool, state));
    if (state.phase !== before) upsertSearchAttributes([{ key: STATUS, value: state.phase }]);
  }
  setHandler(rehomeStatusQuery, () => state);
  setHandler(pauseSignal, (argument) => {
    if (scope.consideredCancelled) return;
    paused = true;
    show({ phase: 'paused', reason: argument?.reason ?? null });
  });
  setHandler(resumeSignal, () => {
    if (scope.consideredCancelled || !paused) return;
    paused = false;
    show({ phase: 'copying', reason: null });
  });
  setHandler(cancelSignal, (argument) => {
    scope.cancel();
    show({ phase: 'cancelling', reason: argument?.reason ?? null });
  });

  async function copy({ fileId, userId, name, referenceId, sizeBytes }: Listed): Promise<void> {
    const { copyToLegacy } = proxyActivities<LegacyActivities>(toLegacy(settings, sizeBytes, legacyQueue));
    show({ running: state.running + 1 });
    try {
      const outcome = await copyToLegacy({ tool, userId, id: fileId, name, referenceId, verify });
      end({ outcome, sizeBytes });
    } catch (error) {
      if (isCancellation(error)) show({ running: state.running - 1 });
      else end({ outcome: 'failed', fileId, name, error: reasonOf(error) });
    }
  }
  const end = (file: Rehomed): void => show({ ...withRehomed(state, file), running: state.running - 1 });

  async function copyPages(): Promise<void> {
    while (!state.exhausted) {
      await condition(() => !paused);
      const page = await listing.listOnlyAtUnified(tool, since, state.cursor, pageSize);
      const totals = { ...state.totals, listed: state.totals.listed + page.length };
      show({ totals });
      for (const file of page) {
        await condition(() => !paused && state.running < concurrency);
        void copy(file);
      }
      // The next page begins behind files that are done: a run that ends here has left none.
      await condition(() => state.running === 0);
      inThisRun += page.length;
      show({ cursor: page.at(-1)?.referenceId ?? state.cursor, exhausted: page.length < pageSize });
      if (!state.exhausted && (inThisRun >= input.filesPerRun || workflowInfo().continueAsNewSuggested)) return;
    }
  }

  upsertSearchAttributes([
    { key: TOOL, value: tool },
    { key: STATUS, value: state.phase },
  ]);
  show({});
  try {
    await scope.run(copyPages);
  } catch (error) {
    await CancellationScope.nonCancellable(() => condition(() => state.running === 0));
    if (!scope.consideredCancelled || !isCancellation(error)) throw ended(error);
    if (CancellationScope.current().consideredCancelled) throw error;
  }
  await condition(allHandlersFinished);
  if (scope.consideredCancelled) show({ phase: 'cancelled' });
  else if (state.exhausted) show({ phase: 'done', reason: null });
  else await continueAsNew<typeof rehome>({ ...input, state: { ...state, runs: state.runs + 1 } });
  return state;
}

/** The list could not be had for hours. */
const ended = (error: unknown): unknown => (error instanceof ActivityFailure ? toWorkflowFailure(fromFailure(error)) : error);
