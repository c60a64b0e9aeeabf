import { randomUUID } from 'node:crypto';
import { type Bucketer, createBucketer, flagKey } from '../domain/bucketing.ts';
import { FileManagementError, FileNotFoundError, ValidationError } from '../domain/errors.ts';
import { type Arm, type Route, routeOf } from '../domain/routing.ts';
import { NO_TRACING, type Tracing } from '../domain/tracing.ts';
import { spanAttributes } from '../domain/work-attributes.ts';
import type { CallContext, FileDownload, FilePage, FileService, StoredFile, UploadFile } from './file-service.ts';
import { type FacadeInput, prepare } from './inputs.ts';
import type { OutcomeRecorder } from './outcome-recorder.ts';
import type { StateWatcher } from './state-watcher.ts';

/** For whom, and for what. */
export interface Caller {
  tool: string;
  userId?: string | null;
  purpose?: string;
  /** The application's own id of the request; a UUID is made where it is absent. */
  operationId?: string;
  signal?: AbortSignal;
}

/** A file, and who answered. */
export type FacadeFile = StoredFile & { servedBy: Arm; fallback: boolean; operationId: string };

/** What was done, for those who look on beside the caller's path: comparisons, repairs. */
export interface Done {
  operation: 'upload';
  route: Route;
  step: number;
  context: CallContext;
  file: UploadFile;
  /** Of the side that answered. */
  stored: StoredFile;
  servedBy: Arm;
  ms: number;
}

export interface FacadeOptions {
  legacy: FileService;
  unified: FileService;
  state: StateWatcher;
  outcomes: Pick<OutcomeRecorder, 'record'>;
  /** Whether legacy answers where unified fails through no fault of the caller (ENABLE_FALLBACK_TO_LEGACY). */
  fallback: boolean;
  maxFileBytes: number;
  /** Whose file an id is: reads follow the ledger, not the arm. */
  knows(id: string): Promise<boolean>;
  /**
   * Called after an upload that legacy answered or that both are to write. The caller does not wait for it, and does not hear of its
   * errors; the file can be read until it resolves.
   */
  afterwards?: (done: Done) => Promise<void>;
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
  const bucketers = new Map<string, Bucketer>();
  const bucketerOf = (tool: string): Bucketer => {
    const known = bucketers.get(tool);
    if (known !== undefined) return known;
    const bucketer = createBucketer(flagKey(tool));
    bucketers.set(tool, bucketer);
    return bucketer;
  };
  const contextOf = ({ tool, userId = null, purpose = 'storage', operationId = randomUUID(), signal }: Caller): CallContext => ({
    ...{ tool, userId, purpose, operationId },
    signal: signal ?? new AbortController().signal,
  });

  /** One side's work, counted. A caller's mistake and a caller's abort say nothing about the side. */
  async function counted<T>(
    arm: Arm,
    step: number,
    { tool, signal }: CallContext,
    work: () => Promise<T>,
    well: 'success' | 'fallback' = 'success',
  ): Promise<T> {
    const started = now();
    const ended = (outcome: Operation['outcome']) => options.onOperation?.({ tool, arm, outcome });
    const record = (code: string | null) => outcomes.record({ tool, arm, step, code, ms: now() - started, atMs: started });
    try {
      const result = await tracing.span(`${arm} upload`, {}, work);
      record(null);
      ended(well);
      return result;
    } catch (error) {
      const outcome = signal.aborted ? 'cancelled' : isCallersFault(error) ? 'refused' : 'failure';
      if (outcome === 'failure') record(error instanceof FileManagementError ? error.code : 'unknown');
      ended(outcome);
      throw error;
    }
  }

  async function upload(input: FacadeInput, context: CallContext): Promise<FacadeFile> {
    const { step, ...routing } = state.routing(context.tool);
    const route = routeOf(routing, context.userId, bucketerOf(context.tool), random);
    const { file, done } = await prepare(input, { maxFileBytes: options.maxFileBytes, signal: context.signal });
    let used = false;
    try {
      const started = now();
      const { stored, servedBy, fallback } = await answered(route, step, context, (side) => side.upload(file, context));
      const mayFollow = servedBy === 'legacy' ? route.compares || route.writesBoth : route.writesBoth;
      if (mayFollow && !fallback && options.afterwards !== undefined) {
        used = true;
        options
          .afterwards({ operation: 'upload', route, step, context, file, stored, servedBy, ms: now() - started })
          .catch((error: unknown) => options.onTrouble?.(error))
          .finally(done);
      }
      return { ...stored, servedBy, fallback, operationId: context.operationId };
    } finally {
      if (!used) await done();
    }
  }

  /** By the route; legacy instead where unified fails through no fault of the caller. */
  async function answered(
    { arm }: Route,
    step: number,
    context: CallContext,
    work: (side: FileService) => Promise<StoredFile>,
  ): Promise<{ stored: StoredFile; servedBy: Arm; fallback: boolean }> {
    if (arm === 'legacy')
      return { stored: await counted('legacy', step, context, () => work(legacy)), servedBy: 'legacy', fallback: false };
    try {
      return { stored: await counted('unified', step, context, () => work(unified)), servedBy: 'unified', fallback: false };
    } catch (error) {
      if (!options.fallback || context.signal.aborted || isCallersFault(error)) throw error;
      options.onTrouble?.(error);
      // Counted there, too: legacy is still in use.
      const stored = await counted('legacy', step, context, () => work(legacy), 'fallback');
      return { stored, servedBy: 'legacy', fallback: true };
    }
  }

  /** Where the file is. An id that the ledger does not know is legacy's, and that is no failure. */
  async function ownerOf(id: string): Promise<FileService> {
    return (await knows(id)) ? unified : legacy;
  }

  const spanned = <T>(operation: string, { tool, operationId }: CallContext, work: () => Promise<T>): Promise<T> =>
    tracing.span(`facade ${operation}`, { begins: true, attributes: spanAttributes({ tool, operationId }) }, work);

  return {
    upload(input: FacadeInput, caller: Caller): Promise<FacadeFile> {
      const context = contextOf(caller);
      return spanned('upload', context, () => upload(input, context));
    },
    async download(id: string, caller: Caller): Promise<FileDownload> {
      const context = contextOf(caller);
      return await spanned('download', context, async () => await (await ownerOf(id)).download(id, context));
    },
    async delete(id: string, caller: Caller): Promise<boolean> {
      const context = contextOf(caller);
      return await spanned('delete', context, async () => await (await ownerOf(id)).delete(id, context));
    },
    async info(id: string, caller: Caller): Promise<StoredFile | null> {
      return await (await ownerOf(id)).info(id, contextOf(caller));
    },
    /** Unified's files first, then legacy's; `next` tells which side goes on. */
    async list({ after = null, limit = 100 }: { after?: string | null; limit?: number }, caller: Caller): Promise<FilePage> {
      const context = contextOf(caller);
      const [, side = 'u', place = ''] = /^([ul]):(.*)$/s.exec(after ?? 'u:') ?? [];
      const from = side === 'u' ? unified : legacy;
      const page = await from.list({ after: place === '' ? null : place, limit }, context);
      const next = page.next !== null ? `${side}:${page.next}` : side === 'u' ? 'l:' : null;
      return { files: page.files, next };
    },
  };
}

/** Asking the other side would not help. */
const isCallersFault = (error: unknown): boolean => error instanceof ValidationError || error instanceof FileNotFoundError;
