import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  TemporalFailure,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { describeMigration, type MigrationState, startMigration, withItem, withPage } from '../src/domain/migration.ts';
import type { MigrationItem } from '../src/domain/models.ts';
import { CHECK, LIST, LOCAL, small } from './activity-options.ts';
import { cancelSignal, FAILED_FILES, type MigrateInput, PHASE, PROVIDER, pauseSignal, resumeSignal, statusQuery } from './contract.ts';
import { fromFailure, toWorkflowFailure } from './failures.ts';
import { localFirst } from './local-first.ts';
import { uploadWindow } from './upload-window.ts';

const local = proxyLocalActivities<Activities>(LOCAL);
const checks = proxyActivities<Activities>(CHECK);
const listing = proxyActivities<Activities>(LIST);

/** Results kept back, so that many files share one write to the ledger. */
const ITEMS_PER_WRITE = 50;
const DRAIN_MS = 20_000;

/**
 * Lists a source in pages and uploads each file by a child workflow, at most `concurrency` at a time. Ends with the totals; the
 * items are in the ledger. Where the source cannot be listed any more it fails, after what was under way has ended.
 */
export async function migrate(input: MigrateInput): Promise<MigrationState> {
  let state: MigrationState = input.state ?? startMigration(Date.now());
  let paused = state.phase === 'paused';
  let stopping = false;
  const unwritten: MigrationItem[] = [];
  const window = uploadWindow(input, (item) => {
    unwritten.push(item);
    show(withItem(state, item));
  });

  function show(change: Partial<MigrationState>): void {
    const before = state.phase;
    state = { ...state, ...change, running: window.size, updatedAtMs: Date.now() };
    setCurrentDetails(describeMigration(state));
    if (state.phase !== before) upsertSearchAttributes([{ key: PHASE, value: state.phase }]);
  }
  function stop(reason: string | null): void {
    stopping = true;
    show({ phase: 'cancelling', reason });
    window.cancel();
  }
  setHandler(statusQuery, () => state);
  setHandler(pauseSignal, (argument) => {
    if (stopping) return;
    paused = true;
    show({ phase: 'paused', reason: argument?.reason ?? null });
  });
  setHandler(resumeSignal, () => {
    if (stopping || !paused) return;
    paused = false;
    show({ phase: 'copying', reason: null });
  });
  setHandler(cancelSignal, (argument) => stop(argument?.reason ?? null));

  /** Writes the results so far to the ledger, also while the migration is being cancelled: each is written once and never lost. */
  async function write(): Promise<void> {
    const items = unwritten.splice(0);
    if (items.length === 0) return;
    const { recordItems } = proxyActivities<Activities>(small(input.settings));
    try {
      await CancellationScope.nonCancellable(() =>
        localFirst(
          () => local.recordItems(input.migrationId, items),
          () => recordItems(input.migrationId, items),
        ),
      );
    } catch (error) {
      unwritten.unshift(...items);
      throw error;
    }
  }
  /** What is still running is handed to the next run. Returns only where the migration was cancelled meanwhile. */
  async function handOver(): Promise<void> {
    await window.settled(input.drainMs ?? DRAIN_MS);
    // Others end while a batch is being written, and while handlers are waited for.
    do {
      while (unwritten.length > 0) await write();
      await condition(allHandlersFinished);
    } while (unwritten.length > 0);
    if (stopping) return;
    upsertSearchAttributes([{ key: FAILED_FILES, value: state.totals.failed }]);
    await continueAsNew<typeof migrate>({ ...input, state: { ...state, runs: state.runs + 1, carried: window.running } });
  }
  async function copy(): Promise<void> {
    const listedBefore = state.totals.listed;
    while (!state.exhausted && !stopping) {
      if (state.totals.listed - listedBefore >= input.filesPerRun || workflowInfo().continueAsNewSuggested) await handOver();
      await condition(() => stopping || !paused);
      if (stopping) return;
      const { cursor } = state;
      const page = await localFirst(
        () => local.listFiles(input.source, cursor, input.filesPerRun),
        () => listing.listFiles(input.source, cursor, input.filesPerRun),
      );
      show(withPage(state, page));
      for (const file of page.items) {
        await condition(() => stopping || (!paused && window.size < input.concurrency));
        if (stopping) return;
        window.start(file);
        if (unwritten.length >= ITEMS_PER_WRITE) await write();
      }
    }
  }

  /** Why it ends otherwise than by coming to the end of its source, or by the signal. */
  let ending: unknown = null;
  try {
    upsertSearchAttributes([
      { key: PHASE, value: state.phase },
      { key: PROVIDER, value: input.provider },
      { key: FAILED_FILES, value: state.totals.failed },
    ]);
    show({});
    if (input.state === undefined) {
      await checks.checkMigration({
        source: input.source,
        provider: input.provider,
        verify: input.verify,
        ...(input.purpose === undefined ? {} : { purpose: input.purpose }),
      });
      if (!paused && !stopping) show({ phase: 'copying' });
    }
    for (const file of state.carried) window.adopt(file);
    await copy();
    await window.drained();
  } catch (error) {
    const failure = toWorkflowFailure(fromFailure(error));
    // Continuing as new is thrown, too; and a mistake of ours is for Temporal to try again with a better worker.
    if (!(failure instanceof TemporalFailure)) throw failure;
    if (!isCancellation(failure)) ending = failure;
    else if (!stopping) {
      ending = failure;
      stop('cancelled in Temporal');
    }
  }
  await CancellationScope.nonCancellable(async () => {
    await window.drained();
    await write();
    await condition(allHandlersFinished);
  });
  if (ending !== null && !isCancellation(ending)) throw ending;
  show({ phase: stopping ? 'cancelled' : 'done', carried: [] });
  upsertSearchAttributes([{ key: FAILED_FILES, value: state.totals.failed }]);
  if (ending !== null) throw ending;
  return state;
}
