import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  ParentClosePolicy,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  startChild,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { FileManagementError } from '../src/domain/errors.ts';
import { describeMigration, type MigrationState, startMigration, withItem, withPage } from '../src/domain/migration.ts';
import { arrivedItem, cancelledItem, failedItem, problemItem, type SourceItem } from '../src/domain/migration-item.ts';
import type { FileOperationResult, FileSource, MigrationItem } from '../src/domain/models.ts';
import { CHECK, LIST, LOCAL, small, WAIT } from './activity-options.ts';
import {
  cancelSignal,
  FAILED_FILES,
  type MigrateInput,
  PHASE,
  PROVIDER,
  pauseSignal,
  resumeSignal,
  statusQuery,
  type UploadInput,
  uploadWorkflowId,
} from './contract.ts';
import { fromFailure, toWorkflowFailure } from './failures.ts';
import { localFirst } from './local-first.ts';
import { upload } from './upload.ts';

const local = proxyLocalActivities<Activities>(LOCAL);
const checks = proxyActivities<Activities>(CHECK);
const listing = proxyActivities<Activities>(LIST);
const waiting = proxyActivities<Activities>(WAIT);

/** Results kept back, so that many files share one write to the ledger. */
const ITEMS_PER_WRITE = 50;
/** How long a run that is to continue as new waits for its last uploads before it hands them to the next run. */
const DRAIN = '20 seconds';

/** Lists a source in pages and uploads each file by a child workflow, at most `concurrency` at a time. Ends with the totals; the items are in the ledger. */
export async function migrate(input: MigrateInput): Promise<MigrationState> {
  let state: MigrationState = input.state ?? startMigration(Date.now());
  let paused = state.phase === 'paused';
  let stopping = state.phase === 'cancelling';
  const unwritten: MigrationItem[] = [];
  const uploads = new CancellationScope();
  /** Uploads under way, by workflow id. */
  const running = new Map<string, MigrationState['carried'][number]>();

  const show = (change: Partial<MigrationState> = {}) => {
    const before = state.phase;
    state = { ...state, ...change, running: running.size, updatedAtMs: Date.now() };
    setCurrentDetails(describeMigration(state));
    if (state.phase !== before) upsertSearchAttributes([{ key: PHASE, value: state.phase }]);
  };
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
  const stop = (reason: string | null) => {
    stopping = true;
    show({ phase: 'cancelling', reason });
    uploads.cancel();
  };
  setHandler(cancelSignal, (argument) => stop(argument?.reason ?? null));

  const ended = (item: MigrationItem) => {
    unwritten.push(item);
    show(withItem(state, item));
  };
  const write = async () => {
    const items = unwritten.splice(0);
    if (items.length === 0) return;
    const regular = proxyActivities<Activities>(small(input.settings));
    await localFirst(
      () => local.recordItems(input.migrationId, items),
      () => regular.recordItems(input.migrationId, items),
    );
  };
  const watch = (workflowId: string, { path, sizeBytes }: { path: string; sizeBytes: number }, result: Promise<FileOperationResult>) => {
    running.set(workflowId, { workflowId, path, sizeBytes });
    const end = (item: MigrationItem) => {
      running.delete(workflowId);
      ended(item);
    };
    const file = { path, sizeBytes };
    result.then(
      (arrived) => end(arrivedItem(file, arrived)),
      (error: unknown) => end(isCancelled(error) ? cancelledItem(file) : failedItem(file, fromFailure(error))),
    );
  };
  const adopt = (file: MigrationState['carried'][number]) =>
    watch(
      file.workflowId,
      file,
      uploads.run(() => waiting.awaitUpload(file.workflowId)),
    );

  const start = async (file: SourceItem) => {
    if (file.source === null) return ended(problemItem(file));
    const idempotencyKey = `${input.migrationId}:${file.key}`;
    const workflowId = uploadWorkflowId(idempotencyKey);
    const { source } = file;
    const child = await uploads
      .run(() =>
        startChild(upload, {
          workflowId,
          parentClosePolicy: ParentClosePolicy.ABANDON,
          staticSummary: file.path.slice(0, 200),
          typedSearchAttributes: [{ key: PROVIDER, value: input.provider }],
          args: [uploadInput(input, file, source, idempotencyKey)],
        }),
      )
      .catch((error: unknown) => {
        if (error instanceof WorkflowExecutionAlreadyStartedError) return null;
        throw error;
      });
    if (child === null) adopt({ workflowId, path: file.path, sizeBytes: file.sizeBytes });
    else watch(workflowId, file, child.result());
  };

  const run = async () => {
    upsertSearchAttributes([
      { key: PHASE, value: state.phase },
      { key: PROVIDER, value: input.provider },
      { key: FAILED_FILES, value: state.totals.failed },
    ]);
    show();
    if (input.state === undefined) {
      await checks.checkMigration({ source: input.source, provider: input.provider });
      if (!paused && !stopping) show({ phase: 'copying' });
    }
    for (const file of input.state?.carried ?? []) adopt(file);

    const listedBefore = state.totals.listed;
    while (!state.exhausted && !stopping) {
      if (state.totals.listed - listedBefore >= input.filesPerRun || workflowInfo().continueAsNewSuggested) await next();
      await condition(() => stopping || !paused);
      if (stopping) break;
      const cursor = state.cursor;
      const page = await localFirst(
        () => local.listFiles(input.source, cursor),
        () => listing.listFiles(input.source, cursor),
      );
      show(withPage(state, page));
      for (const file of page.items) {
        await condition(() => stopping || (!paused && running.size < input.concurrency));
        if (stopping) break;
        await start(file);
        if (unwritten.length >= ITEMS_PER_WRITE) await write();
      }
    }
    await condition(() => running.size === 0);
    await write();
  };

  /** Continues as new, with what is still running handed over. */
  const next = async () => {
    await condition(() => running.size === 0, DRAIN);
    await write();
    await condition(allHandlersFinished);
    upsertSearchAttributes([{ key: FAILED_FILES, value: state.totals.failed }]);
    await continueAsNew<typeof migrate>({ ...input, state: { ...state, runs: state.runs + 1, carried: [...running.values()] } });
  };

  let cancellation: unknown = null;
  try {
    await run();
  } catch (error) {
    if (!isCancellation(error)) throw toWorkflowFailure(fromFailure(error));
    if (!stopping) {
      cancellation = error;
      stop('cancelled in Temporal');
    }
    await CancellationScope.nonCancellable(async () => {
      await condition(() => running.size === 0);
      await write();
    });
  }
  show({ phase: stopping ? 'cancelled' : 'done' });
  upsertSearchAttributes([{ key: FAILED_FILES, value: state.totals.failed }]);
  if (cancellation !== null) throw cancellation;
  await condition(allHandlersFinished);
  return state;
}

function uploadInput(input: MigrateInput, file: SourceItem, source: FileSource, idempotencyKey: string): UploadInput {
  const { provider, verify, settings } = input;
  const reference: UploadInput['reference'] = {
    name: file.path,
    tool: 'migrate',
    userId: null,
    purpose: 'storage',
    context: null,
    tags: [],
    keep: 'keep',
    ...file.reference,
  };
  return { idempotencyKey, source, provider, namespace: 'live', reference, verify, onDuplicate: 'reuse', settings };
}

/** Cancelled here, or (for an upload that an earlier run started) told so by its own end. */
function isCancelled(error: unknown): boolean {
  const ours = fromFailure(error);
  return isCancellation(error) || (ours instanceof FileManagementError && ours.code === 'cancelled');
}
