import {
  allHandlersFinished,
  CancellationScope,
  ContinueAsNew,
  condition,
  continueAsNew,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  patched,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities, LegacyActivities } from '../activities/index.ts';
import { FileManagementError, UploadError } from '../src/domain/errors.ts';
import { describeMirror, type MirrorState, retryDelayMs } from '../src/domain/mirror.ts';
import type { FileSource } from '../src/domain/models.ts';
import { askLegacy, small, tidy, toLegacy, WAIT } from './activity-options.ts';
import {
  type MirroredFile,
  type MirrorInput,
  mirrorStatusQuery,
  PROVIDER,
  removeSignal,
  STATUS,
  TOOL,
  uploadWorkflowId,
  writeSignal,
} from './contract.ts';
import { fromFailure, reasonOf, toWorkflowFailure } from './failures.ts';
import { upload } from './upload.ts';

/** Steps of one attempt are tried so often at once; between attempts it waits where people see it. */
const TRIES_AT_ONCE = 3;

/**
 * Makes the side that does not count agree with the other one about one file, for as long as that takes: it has the file, or has it no
 * more. What is wanted comes by signals, the newest one counts, and a deletion stops an upload that is under way.
 */
export async function mirror(input: MirrorInput): Promise<MirrorState> {
  const { tool, userId, answered, id, carried } = input;
  const settings = { ...input.settings, attempts: TRIES_AT_ONCE };
  const brief = proxyActivities<Activities>(small(settings));
  /** Undefined: nobody has said yet what is wanted. */
  let file: MirroredFile | null | undefined = carried?.file;
  let staged: FileSource[] = carried?.staged ?? [];
  let counted = carried?.counted ?? false;
  let begunAtMs = carried?.begunAtMs ?? Date.now();
  /** Grows with each signal. */
  let wish = 0;
  let writing: CancellationScope | null = null;
  let state: MirrorState = {
    ...{ wanted: file === null ? 'absent' : 'present', phase: 'working', attempts: carried?.attempts ?? 0 },
    ...{ trouble: null, nextAttemptMs: null, updatedAtMs: Date.now() },
  };

  function show(change: Partial<MirrorState>): void {
    const before = state.phase;
    state = { ...state, ...change, updatedAtMs: Date.now() };
    setCurrentDetails(describeMirror(answered, state));
    if (state.phase !== before) upsertSearchAttributes([{ key: STATUS, value: state.phase }]);
  }
  function want(wanted: MirroredFile | null): void {
    file = wanted;
    wish += 1;
    counted = false;
    begunAtMs = Date.now();
    if (wanted?.staged === true && wanted.source !== null) staged = [...staged, wanted.source];
    writing?.cancel();
    show({ wanted: wanted === null ? 'absent' : 'present', phase: 'working', attempts: 0, trouble: null, nextAttemptMs: null });
  }
  setHandler(mirrorStatusQuery, () => state);
  setHandler(writeSignal, want);
  setHandler(removeSignal, () => want(null));

  const target = { tool, userId, id };
  async function write(wanted: MirroredFile): Promise<void> {
    if (answered === 'unified') {
      const { copyToLegacy } = proxyActivities<LegacyActivities>(toLegacy(input.settings, wanted.sizeBytes, input.legacyQueue));
      await copyToLegacy({ ...target, name: wanted.name, verify: 'stored' });
      return;
    }
    if (wanted.late !== null && (await adopted(wanted.late, wanted))) return await removeUnlessAtLegacy();
    if (wanted.source === null) return;
    const started = Date.now();
    const failed = await uploadToUnified(wanted, wanted.source).then(
      () => null,
      (error: unknown) => error ?? new Error('unknown'),
    );
    if (failed !== null && isStopped()) throw failed;
    if (!counted) await count(wanted, failed, Date.now() - started);
    if (failed !== null) throw failed;
    await removeUnlessAtLegacy();
  }
  /** The word of a deletion can come before the one of the upload: facades are many, and each has its own queue. */
  async function removeUnlessAtLegacy(): Promise<void> {
    if (!patched('asks-legacy-after-writing')) return;
    const { isAtLegacy } = proxyActivities<LegacyActivities>(askLegacy(input.settings, input.legacyQueue));
    const there = await isAtLegacy(target).catch((error: unknown) => {
      if (isStopped()) throw error;
      // Nobody knows: what was uploaded stays.
      return true;
    });
    if (!there) want(null);
  }
  async function uploadToUnified({ name, purpose }: MirroredFile, source: FileSource): Promise<void> {
    const key = workflowInfo().workflowId;
    await executeChild(upload, {
      workflowId: uploadWorkflowId(key),
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      typedSearchAttributes: [{ key: PROVIDER, value: input.provider }],
      args: [
        {
          ...{ idempotencyKey: key, source, provider: input.provider, namespace: 'live', verify: 'none', onDuplicate: 'reuse', settings },
          reference: { name, tool, userId, purpose, context: null, tags: [], keep: 'keep', legacyId: id },
        },
      ],
    });
  }
  /** Whether the upload that nobody waited for has arrived after all. What it holds is then the mirror. */
  async function adopted(operationId: string, { name }: MirroredFile): Promise<boolean> {
    const { awaitUpload } = proxyActivities<Activities>(WAIT);
    const arrived = await awaitUpload(uploadWorkflowId(operationId)).catch((error: unknown) => {
      if (isStopped()) throw error;
      return null;
    });
    if (arrived === null) return false;
    const { fileId, uploadId } = arrived;
    return await brief.adoptLate({ fileId, tool, userId, name, legacyId: id, ...(uploadId === undefined ? {} : { uploadId }) });
  }
  /** The first attempt is the evidence; that it is repaired later does not make it good. */
  async function count({ step }: MirroredFile, failed: unknown, ms: number): Promise<void> {
    counted = true;
    const ours = fromFailure(failed);
    const code = failed === null ? null : ours instanceof FileManagementError ? ours.code : 'unknown';
    const outcome = { tool, arm: 'unified' as const, step, code, ms, atMs: Date.now() };
    await proxyActivities<Activities>(tidy(settings))
      .recordMirrored(uuid4(), outcome)
      .catch(() => undefined);
  }
  async function remove(): Promise<void> {
    if (answered === 'legacy') return await brief.removeMirrors({ userId, id });
    await proxyActivities<LegacyActivities>(toLegacy(input.settings, 0, input.legacyQueue)).removeFromLegacy(target);
  }
  async function attempt(): Promise<void> {
    const wanted = file;
    if (wanted === null) return await remove();
    if (wanted === undefined) return;
    // What is being written to legacy is let end: only then is it known what has to be removed there.
    writing = answered === 'legacy' ? new CancellationScope() : null;
    await (writing === null ? write(wanted) : writing.run(() => write(wanted)));
  }

  upsertSearchAttributes([
    { key: TOOL, value: tool },
    { key: STATUS, value: 'working' },
  ]);
  try {
    await condition(() => file !== undefined);
    for (let done = -1; done !== wish; ) {
      done = await agree();
      await removeStaged();
      show({ phase: 'done', trouble: null });
    }
  } catch (error) {
    if (!(error instanceof ContinueAsNew)) await removeStaged();
    throw error;
  }
  await condition(allHandlersFinished);
  return state;

  /** @returns the wish that was fulfilled */
  async function agree(): Promise<number> {
    for (;;) {
      const before = wish;
      try {
        show({ phase: 'working', nextAttemptMs: null, attempts: state.attempts + 1 });
        await attempt();
        if (wish === before) return before;
      } catch (error) {
        if (wish !== before) continue;
        if (isCancellation(error) && isStopped()) throw error;
        await waitFor(error, () => wish !== before);
        // What was wanted last goes along.
        if (wish === before && workflowInfo().continueAsNewSuggested)
          await continueAsNew<typeof mirror>({
            ...input,
            carried: { file: file ?? null, staged, attempts: state.attempts, begunAtMs, counted },
          });
      } finally {
        writing = null;
      }
    }
  }
  async function waitFor(error: unknown, changed: () => boolean): Promise<void> {
    const cause = fromFailure(error);
    const ours =
      cause instanceof FileManagementError ? cause : new UploadError(reasonOf(error), { code: 'failed', retryable: true, cause: error });
    const delay = retryDelayMs(input.retry, { attempts: state.attempts, begunAtMs }, ours, Date.now());
    if (delay === null) {
      show({ phase: 'given_up', trouble: ours.message });
      throw toWorkflowFailure(ours);
    }
    show({ phase: 'waiting', trouble: ours.message, nextAttemptMs: Date.now() + delay });
    await condition(changed, delay);
  }
  async function removeStaged(): Promise<void> {
    const { removeStaged: removing } = proxyActivities<Activities>(tidy(settings));
    const left = staged;
    staged = [];
    await CancellationScope.nonCancellable(() => Promise.all(left.map((source) => removing(source)))).catch(() => undefined);
  }
}

/** By a signal, or the workflow as a whole: not that somebody cancelled the upload alone. */
const isStopped = (): boolean => CancellationScope.current().consideredCancelled;
