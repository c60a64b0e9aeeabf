import { FileManagementError, FileNotFoundError, ValidationError } from '../domain/errors.ts';
import type { Arm, Route } from '../domain/routing.ts';
import { NO_TRACING, type Tracing } from '../domain/tracing.ts';
import { spanAttributes } from '../domain/work-attributes.ts';
import { type Caller, contextOf } from './context.ts';
import { type Counterpart, type Counterparts, readOrElse } from './counterparts.ts';
import { createDecider } from './decide.ts';
import type { CallContext, FileDownload, FilePage, FileService, StoredFile, UploadFile } from './file-service.ts';
import { type FacadeInput, prepare } from './inputs.ts';
import type { OutcomeRecorder } from './outcome-recorder.ts';
import type { StateWatcher } from './state-watcher.ts';
import { type Late, StillRunningError } from './still-running.ts';

/** A file, and who answered. */
export type FacadeFile = StoredFile & { servedBy: Arm; fallback: boolean; operationId: string };

interface Followed {
  route: Route;
  step: number;
  context: CallContext;
  servedBy: Arm;
}

/** An upload that is over. */
export interface UploadDone extends Followed {
  operation: 'upload';
  file: UploadFile;
  /** Of the side that answered; null: it failed, with `error`. */
  stored: StoredFile | null;
  error: unknown;
  ms: number;
  /** Legacy answered instead of unified. */
  fallback: boolean;
  /** Unified's upload, where nobody waits for it any more and it may go on; null where it failed, or was not begun. */
  late: Late | null;
}

/** A file was deleted at the side that held it. */
export interface DeleteDone extends Followed {
  operation: 'delete';
  id: string;
}

/** What was done, for those who look on beside the caller's path: comparisons, repairs. */
export type Done = UploadDone | DeleteDone;

export interface FacadeOptions {
  legacy: FileService;
  unified: FileService;
  state: StateWatcher;
  outcomes: Pick<OutcomeRecorder, 'record'>;
  /** Whether legacy answers where unified fails through no fault of the caller (ENABLE_FALLBACK_TO_LEGACY). */
  fallback: boolean;
  maxFileBytes: number;
  /** Where streams that can be read once are kept meanwhile; the system's folder for temporary files unless said. */
  spoolFolder?: string | undefined;
  /** Whose file an id is: reads follow the ledger, not the arm. */
  knows(id: string, context: Pick<CallContext, 'userId'>): Promise<boolean>;
  /**
   * Called after an upload that may be compared or that both are to write, and after every deletion. The caller does not wait for it,
   * and does not hear of its errors; the file can be read until it resolves.
   */
  afterwards?: (done: Done) => Promise<void>;
  /** Files that both sides have: the other one helps where a read fails, and lists them once. Absent: there are none. */
  counterparts?: Counterparts;
  onTrouble?: (error: unknown) => void;
  /** Told of each side's work when it ends; returns at once and throws nothing. `fallback`: legacy answered where unified had failed. */
  onOperation?: (operation: Operation) => void;
  /** Each operation is a span, with one below it for each side that works. */
  tracing?: Tracing;
  now?: () => number;
  random?: () => number;
}

/** One side's part in an operation. `refused`: the caller's mistake, which says nothing about the side, as little as their abort does. */
export interface Operation {
  tool: string;
  arm: Arm;
  outcome: 'success' | 'failure' | 'fallback' | 'refused' | 'cancelled';
}

export type Facade = ReturnType<typeof createFacade>;

/** What an application calls where it called its old uploader. */
export function createFacade(options: FacadeOptions) {
  const { legacy, unified, state, outcomes, knows } = options;
  const { now = Date.now, random = Math.random, tracing = NO_TRACING } = options;
  const decide = createDecider(state, random);
  /** One side's work, counted. A caller's mistake and a caller's abort say nothing about the side. */
  async function counted<T>(
    arm: Arm,
    step: number,
    context: CallContext,
    work: () => Promise<T>,
    well: 'success' | 'fallback' = 'success',
  ): Promise<T> {
    const { tool } = context;
    const started = now();
    const ended = (outcome: Operation['outcome']) => options.onOperation?.({ tool, arm, outcome });
    const record = (code: string | null) => outcomes.record({ tool, arm, step, code, ms: now() - started, atMs: started });
    try {
      const result = await (tracing === NO_TRACING ? work() : tracing.span(`${arm} upload`, {}, work));
      record(null);
      ended(well);
      return result;
    } catch (error) {
      const outcome = context.signal.aborted ? 'cancelled' : isCallersFault(error) ? 'refused' : 'failure';
      if (outcome === 'failure') record(error instanceof FileManagementError ? error.code : 'unknown');
      ended(outcome);
      throw error;
    }
  }

  /** Beside the caller's path, whatever comes of it: what it does before it first waits is the caller's time. */
  async function follow(done: Done): Promise<void> {
    try {
      await options.afterwards?.(done);
    } catch (error) {
      options.onTrouble?.(error);
    }
  }
  const isFollowed = ({ route, servedBy, stored, fallback, late }: UploadDone): boolean =>
    (route.compares && servedBy === 'legacy' && !fallback) || (route.writesBoth && stored !== null) || late !== null;

  async function upload(input: FacadeInput, context: CallContext): Promise<FacadeFile> {
    const { route, routing } = decide(context.tool, context.userId);
    const { step } = routing;
    const { maxFileBytes, spoolFolder } = options;
    const { file, done } = await prepare(input, { maxFileBytes, spoolFolder, signal: () => context.signal });
    const started = now();
    let following: Promise<void> | undefined;
    const over = (end: Pick<UploadDone, 'stored' | 'error' | 'servedBy' | 'fallback' | 'late'>): void => {
      if (options.afterwards === undefined) return;
      const upload: UploadDone = { operation: 'upload', route, step, context, file, ms: now() - started, ...end };
      if (isFollowed(upload)) following = follow(upload);
    };
    try {
      const { stored, servedBy, fallback, late } = await answered(route, step, context, (side) => side.upload(file, context));
      over({ stored, error: null, servedBy, fallback, late });
      const { id, name, sizeBytes, mimeType, sha256 } = stored;
      return { id, name, sizeBytes, mimeType, sha256, servedBy, fallback, operationId: context.operationId };
    } catch (error) {
      // What legacy fails at is compared, too: else only the candidate's failures would be seen.
      if (route.arm === 'legacy' && !context.signal.aborted && !isCallersFault(error))
        over({ stored: null, error, servedBy: 'legacy', fallback: false, late: null });
      throw error;
    } finally {
      if (done !== null) {
        if (following === undefined) await done();
        else void following.finally(done);
      }
    }
  }

  interface Answered {
    stored: StoredFile;
    servedBy: Arm;
    fallback: boolean;
    late: UploadDone['late'];
  }
  /** By the route; legacy instead where unified fails through no fault of the caller. */
  async function answered(
    { arm }: Route,
    step: number,
    context: CallContext,
    work: (side: FileService) => Promise<StoredFile>,
  ): Promise<Answered> {
    const by = async (side: Arm, well?: 'fallback') =>
      await counted(side, step, context, () => work(side === 'legacy' ? legacy : unified), well);
    if (arm === 'legacy') return { stored: await by('legacy'), servedBy: 'legacy', fallback: false, late: null };
    try {
      return { stored: await by('unified'), servedBy: 'unified', fallback: false, late: null };
    } catch (error) {
      if (!options.fallback || context.signal.aborted || isCallersFault(error)) throw error;
      options.onTrouble?.(error);
      const late = error instanceof StillRunningError ? error.late : null;
      // Counted there, too: legacy is still in use.
      return { stored: await by('legacy', 'fallback'), servedBy: 'legacy', fallback: true, late };
    }
  }

  /** Where the file is. An id that the ledger does not know is legacy's, and that is no failure. */
  async function ownerOf(id: string, context: CallContext): Promise<FileService> {
    return (await knows(id, context)) ? unified : legacy;
  }

  async function reading<T>(
    id: string,
    context: CallContext,
    read: (side: FileService) => Promise<T>,
    instead: (counterpart: Counterpart) => Promise<T>,
  ): Promise<T> {
    const owner = await ownerOf(id, context).catch(async (away: unknown) => {
      // Where the ledger cannot say whose it is, legacy may know the file.
      const answer = await read(legacy).catch(() => null);
      if (answer === null) throw away;
      return { answer };
    });
    if ('answer' in owner) return owner.answer;
    const counterpart = async () => (await options.counterparts?.of(id, owner === unified ? 'unified' : 'legacy', context)) ?? null;
    return await readOrElse(() => read(owner), counterpart, instead, context.signal);
  }

  async function remove(id: string, context: CallContext): Promise<boolean> {
    const side = await ownerOf(id, context);
    const deleted = await side.delete(id, context);
    const { route, routing } = decide(context.tool, context.userId);
    const { step } = routing;
    if (deleted) void follow({ operation: 'delete', route, step, context, id, servedBy: side === unified ? 'unified' : 'legacy' });
    return deleted;
  }

  const spanned = <T>(operation: string, { tool, operationId }: CallContext, work: () => Promise<T>): Promise<T> =>
    tracing === NO_TRACING
      ? work()
      : tracing.span(`facade ${operation}`, { begins: true, attributes: spanAttributes({ tool, operationId }) }, work);

  return {
    async upload(input: FacadeInput, caller: Caller): Promise<FacadeFile> {
      const context = contextOf(caller);
      return await spanned('upload', context, () => upload(input, context));
    },
    async download(id: string, caller: Caller): Promise<FileDownload> {
      const context = contextOf(caller);
      const through = (side: FileService) => side.download(id, context);
      return await spanned('download', context, () => reading(id, context, through, (counterpart) => counterpart.download()));
    },
    async delete(id: string, caller: Caller): Promise<boolean> {
      const context = contextOf(caller);
      return await spanned('delete', context, () => remove(id, context));
    },
    async info(id: string, caller: Caller): Promise<StoredFile | null> {
      const context = contextOf(caller);
      return await reading(
        id,
        context,
        (side) => side.info(id, context),
        (counterpart) => counterpart.info(),
      );
    },
    /** Unified's files first, then legacy's; `next` tells which side goes on. */
    async list({ after = null, limit = 100 }: { after?: string | null; limit?: number }, caller: Caller): Promise<FilePage> {
      const context = contextOf(caller);
      const [, side = 'u', place = ''] = /^([ul]):(.*)$/s.exec(after ?? 'u:') ?? [];
      const from = side === 'u' ? unified : legacy;
      const listed = await from.list({ after: place === '' ? null : place, limit }, context);
      const page = side === 'u' ? listed : ((await options.counterparts?.withoutCopies(listed, context)) ?? listed);
      const next = page.next !== null ? `${side}:${page.next}` : side === 'u' ? 'l:' : null;
      return { files: page.files, next };
    },
  };
}

/** Asking the other side would not help. */
const isCallersFault = (error: unknown): boolean => error instanceof ValidationError || error instanceof FileNotFoundError;
