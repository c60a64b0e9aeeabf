import { randomUUID } from 'node:crypto';
import { CircuitState, ConsecutiveBreaker, circuitBreaker, handleWhen, isBrokenCircuitError } from 'cockatiel';
import { DownloadError, FileNotFoundError, hasCode, ProviderUnavailableError, UploadError } from '../domain/errors.ts';
import { FileId, type FileRecord } from '../domain/models.ts';
import type { ModelKind } from '../domain/time-limits.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { FileManager } from '../manager/file-manager.ts';
import { unlessAborted, within } from '../manager/waiting.ts';
import type { CallContext, FileService, StoredFile, UploadFile } from './file-service.ts';
import type { Staging } from './staging.ts';
import { type Late, StillRunningError } from './still-running.ts';

export interface UnifiedOptions {
  manager: Pick<FileManager, 'upload' | 'read' | 'giveUp'>;
  ledger: Pick<Ledger, 'givenId' | 'listHeldBy'>;
  /** Where a tool's files go. */
  providerOf: (tool: string) => string;
  staging: Staging;
  /** How long a caller waits for an upload of so many bytes for a model of this kind, in ms: until Temporal has taken it, and then until it is done. */
  patience: { startMs: number; doneMs(sizeBytes: number, model?: ModelKind): number };
}

/** After so many uploads in a row that were not taken or done in time, callers are spared the waiting for so long. */
const LATE_IN_A_ROW = 3;
const SPARED_MS = 10_000;
/** Of each step: legacy stands by, so an outage is told soon instead of waited out. */
const ATTEMPTS = 3;

/**
 * The new upload path as one side of the facade: hash, dedupe, provider upload, record, in a durable workflow. Each upload has an id of
 * its own, as at legacy, though the same bytes are one object. Ids of the ledger's files that were given out before are answered, too.
 */
export function createUnified({ manager, ledger, providerOf, staging, patience }: UnifiedOptions): FileService {
  /** The caller's own hold on a file; null where there is none (any more), and the file is none of theirs. */
  async function heldBy(id: string, context: CallContext) {
    const given = await givenId(ledger, id, context);
    const [reference] = given?.held ?? [];
    return given === null || reference === undefined ? null : { file: given.file, reference };
  }
  const inTime = circuitBreaker(
    handleWhen((error) => error instanceof StillRunningError || hasCode(error, 'temporal_unreachable')),
    { halfOpenAfter: SPARED_MS, breaker: new ConsecutiveBreaker(LATE_IN_A_ROW) },
  );

  /** Until Temporal has taken the upload, whose end is another promise. */
  async function begin(file: UploadFile, { tool, userId, purpose, model, operationId, signal }: CallContext) {
    const staged = await staging.stage(file, signal);
    // Of this one upload: an application may use an operation's id for more than one file.
    const idempotencyKey = randomUUID();
    const waiting = new AbortController();
    const taken = Promise.withResolvers<void>();
    let handedOver = false;
    const upload = manager
      .upload(staged.source, {
        provider: providerOf(tool),
        reference: { name: file.name, tool, userId, purpose, context: null, tags: [], keep: 'keep' },
        idempotencyKey,
        operationId,
        distinctBy: operationId,
        staged: staged.temporary,
        attempts: ATTEMPTS,
        model,
        signal: waiting.signal,
        onStarted() {
          handedOver = staged.temporary;
          taken.resolve();
        },
      })
      .then(
        ({ fileId, uploadId, sizeBytes, mimeType, sha256 }): StoredFile => ({
          // Workers of an older version know no ids of uploads.
          ...{ id: uploadId ?? fileId, name: file.name, sizeBytes, mimeType: file.mimeType ?? mimeType, sha256 },
        }),
      )
      // What was handed over is removed by the workflow.
      .finally(() => (handedOver ? undefined : staged.remove().catch(() => undefined)));
    const late: Late = { idempotencyKey, file: upload.catch(() => null) };
    const waited = <T>(ms: number, work: Promise<T>) =>
      unlessAborted(
        within(ms, work, () => new StillRunningError(`The upload ${operationId} was not done in time`, late)),
        signal,
      ).catch((error: unknown) => {
        if (signal.aborted) waiting.abort(signal.reason);
        // Temporal may have it all the same.
        if (hasCode(error, 'temporal_unreachable')) throw new StillRunningError(error.message, late, error);
        throw isUnreadable(error) ? unreadable(file, error) : error;
      });
    await waited(patience.startMs, Promise.race([taken.promise, upload]));
    return () => waited(patience.doneMs(file.sizeBytes, model), upload);
  }

  return {
    async upload(file, context) {
      // One tries whether it goes again; the others do not queue behind it.
      if (inTime.state === CircuitState.HalfOpen) throw notInTime();
      return await inTime
        .execute(async () => await (await begin(file, context))())
        .catch((error: unknown) => {
          throw isBrokenCircuitError(error) ? notInTime() : error;
        });
    },
    async download(id, context) {
      const held = await heldBy(id, context);
      if (held === null) throw new FileNotFoundError(`There is no file ${id}`, { code: 'not_found' });
      return await manager.read(held.file, context).catch((error: unknown) => {
        if (!(error instanceof FileNotFoundError)) throw error;
        // The user has it: that its object is gone is this side's own fault, and no answer to whether there is such a file.
        throw new DownloadError(error.message, { code: 'object_missing', cause: error });
      });
    },
    async delete(id, context) {
      const held = await heldBy(id, context);
      if (held === null) return false;
      const { signal, operationId } = context;
      const given = await manager.giveUp(held.file, held.reference, { reason: 'deleted by the application', signal, operationId });
      // None where another call was faster.
      return given.references > 0;
    },
    async info(id, context) {
      const held = await heldBy(id, context);
      return held === null ? null : storedFile(held.reference.uploadId ?? held.file.id, held.file, held.reference.name);
    },
    async list({ after, limit }, { userId }) {
      const held = await ledger.listHeldBy(userId, { after, limit });
      const files = held.map((file) => storedFile(file.id, file, file.name));
      return { files, next: held.length === limit ? (held.at(-1)?.referenceId ?? null) : null };
    },
  };
}

/**
 * Whose file an id is: unified's where it gave that id to somebody, for an upload or (before uploads had ids) for a content. A row of the
 * old path that turned out to hold a content which unified has, too, is still the old path's.
 */
export const knownTo = async (ledger: Pick<Ledger, 'givenId'>, id: string, context: Pick<CallContext, 'userId'>): Promise<boolean> =>
  (await givenId(ledger, id, context))?.ours ?? false;

const givenId = async (ledger: Pick<Ledger, 'givenId'>, id: string, { userId }: Pick<CallContext, 'userId'>) =>
  FileId.safeParse(id).success ? await ledger.givenId(id, userId) : null;

const storedFile = (
  id: string,
  { sizeBytes, mimeType, sha256 }: Pick<FileRecord, 'sizeBytes' | 'mimeType' | 'sha256'>,
  name: string,
): StoredFile => ({
  id,
  name,
  sizeBytes: sizeBytes ?? 0,
  mimeType,
  sha256,
});

const notInTime = () =>
  new ProviderUnavailableError('The last uploads were not done in time: the new path is left alone for some seconds', {
    ...{ code: 'not_in_time', provider: 'temporal', retryable: true },
  });

/** What a worker says of a file that it cannot read, and a client of a workflow that is gone: nobody's mistake but ours. */
const isUnreadable = (error: unknown): error is Error =>
  error instanceof FileNotFoundError || hasCode(error, 'file_unreadable', 'is_a_folder', 'broken_link', 'name_too_long', 'name_not_utf8');

const unreadable = ({ name }: UploadFile, cause: Error) =>
  new UploadError(
    `The workers could not read what was laid there for them of ${JSON.stringify(name)}: ${cause.message}. Leave the staging folder out, or let them see it`,
    { code: 'source_unreadable', retryable: true, cause },
  );
