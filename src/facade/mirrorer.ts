import type { FileToMirror, MirrorClient, MirrorTarget } from '../client/mirror-client.ts';
import { ProviderUnavailableError } from '../domain/errors.ts';
import type { MirrorLedger } from '../ledger/mirror-ledger.ts';
import type { StagingStore } from '../providers/supabase-staging.ts';
import { createBacklog } from './backlog.ts';
import type { DeleteDone, Done, UploadDone } from './facade.ts';
import type { FileService, StoredFile } from './file-service.ts';
import type { OutcomeRecorder } from './outcome-recorder.ts';

export interface MirrorerOptions {
  client: () => Promise<Pick<MirrorClient, 'writeMirror' | 'removeMirror'>>;
  mirrors: Pick<MirrorLedger, 'legacyCopies' | 'mirrorsOf'>;
  legacy: Pick<FileService, 'locate'>;
  /** Where workers find what they cannot read at legacy themselves. */
  staging: Pick<StagingStore, 'put' | 'remove'>;
  providerOf: (tool: string) => string;
  outcomes: Pick<OutcomeRecorder, 'record'>;
  onTrouble?: (error: unknown) => void;
  /** Starts that may wait for Temporal to come back. */
  maxWaiting?: number;
  firstRetryMs?: number;
  now?: () => number;
}

export interface Mirrorer {
  afterwards(done: Done): Promise<void>;
  /** Mirrors that were never started, because Temporal was away for too long. */
  readonly dropped: number;
  /** Until those that wait were tried once more; what is still being prepared is dropped. */
  close(): Promise<void>;
}

type Laid = Pick<FileToMirror, 'source' | 'staged'>;

/** A file that is being laid where workers can read it. */
interface Preparation {
  key: string;
  stop: AbortController;
  ended: Promise<unknown>;
}
const DELETED = new Error('The file was deleted meanwhile');
const CLOSED = new Error('The application stops');

/** As mirrors are told apart. */
const keyOf = ({ context: { tool, userId }, servedBy }: Done, id: string): string => JSON.stringify([tool, userId, servedBy, id]);

/**
 * Has the side that does not count brought into agreement by durable workflows: what is uploaded where both sides write, what is deleted
 * and has a counterpart, and what arrives at unified after legacy had to answer.
 */
export function createMirrorer(options: MirrorerOptions): Mirrorer {
  const { client, mirrors, legacy, staging, providerOf, outcomes, onTrouble, maxWaiting, firstRetryMs, now = Date.now } = options;
  const backlog = createBacklog({
    ...(onTrouble === undefined ? {} : { onTrouble }),
    ...(maxWaiting === undefined ? {} : { max: maxWaiting }),
    ...(firstRetryMs === undefined ? {} : { firstRetryMs }),
  });
  const targetOf = ({ context: { tool, userId }, servedBy }: Done, id: string): MirrorTarget => ({
    ...{ tool, userId, answered: servedBy, id, provider: providerOf(tool) },
  });

  const preparing = new Set<Preparation>();
  let cut = 0;

  function write(done: UploadDone, stored: StoredFile, source: Pick<FileToMirror, 'source' | 'staged' | 'late'>): void {
    const { file, context, step } = done;
    const { name, sizeBytes, mimeType } = file;
    const wanted: FileToMirror = { name, sizeBytes, mimeType, purpose: context.purpose, step, ...source };
    backlog.add(async () => await (await client()).writeMirror(targetOf(done, stored.id), wanted), {
      tell: () => lost(done, source.source !== null, 'Temporal was away for too long'),
      clear: () => clear(source),
    });
  }
  /** Evidence for the next stage: this file is not at unified, and nothing will bring it there. */
  function lost({ context, step, servedBy }: UploadDone, counts: boolean, why: string): void {
    const { tool, operationId } = context;
    if (servedBy === 'legacy' && counts) outcomes.record({ tool, arm: 'unified', step, code: 'mirror_dropped', ms: 0, atMs: now() });
    const message = `The upload ${operationId} has no mirror: ${why}`;
    onTrouble?.(new ProviderUnavailableError(message, { code: 'mirror_dropped', provider: 'temporal' }));
  }
  async function clear({ source, staged }: Laid): Promise<void> {
    if (staged && source?.kind === 'object') await staging.remove(source.id);
  }

  /** Where workers can read what legacy has: there, or in Storage, where it is laid for them. */
  async function sourceFor({ file, context }: UploadDone, stored: StoredFile, signal: AbortSignal): Promise<Laid> {
    const there = await legacy.locate?.(stored.id, { ...context, signal });
    if (there != null) return { source: there, staged: false };
    const { name, sizeBytes, mimeType } = file;
    const id = await staging.put(file, signal);
    return { source: { kind: 'object', provider: 'supabase', id, sizeBytes, name, mimeType }, staged: true };
  }

  /** A deletion that comes meanwhile reaches the workflow first: nothing may be written after it. */
  async function prepare(done: UploadDone, stored: StoredFile, late: string | null): Promise<void> {
    const stop = new AbortController();
    const { signal } = stop;
    const ended = sourceFor(done, stored, signal).then(
      async (laid) => {
        if (signal.aborted) await clear(laid);
        else write(done, stored, { ...laid, late });
        return !signal.aborted;
      },
      (error: unknown) => {
        if (!signal.aborted) throw error;
        return false;
      },
    );
    const preparation: Preparation = { key: keyOf(done, stored.id), stop, ended };
    preparing.add(preparation);
    const written = await ended.finally(() => preparing.delete(preparation));
    if (written || signal.reason !== CLOSED) return;
    cut += 1;
    lost(done, true, 'the application stopped before it was begun');
  }

  async function afterUpload(done: UploadDone): Promise<void> {
    const { stored, servedBy, route, late } = done;
    if (stored === null) return;
    if (servedBy === 'unified') {
      if (route.writesBoth) write(done, stored, { source: null, staged: false, late: null });
      return;
    }
    const operation = late?.idempotencyKey ?? null;
    if (route.writesBoth) await prepare(done, stored, operation);
    else write(done, stored, { source: null, staged: false, late: operation });
    // Also where Temporal took it only after the mirror had asked for it in vain; and after a deletion, as the mirror asks legacy then.
    void late?.file.then((arrived) => {
      if (arrived !== null) write(done, stored, { source: null, staged: false, late: operation });
    });
  }

  async function afterDelete(done: DeleteDone): Promise<void> {
    const { id, servedBy, route, context } = done;
    for (const { key, stop } of preparing) if (key === keyOf(done, id)) stop.abort(DELETED);
    const known = servedBy === 'legacy' ? mirrors.mirrorsOf(context.userId, id) : mirrors.legacyCopies(id, context.userId);
    // Where the ledger cannot say, a mirror that finds nothing does no harm.
    const counterparts = await known.catch(() => null);
    const start = route.writesBoth || counterparts === null || counterparts.length > 0;
    // Where a switch is off, Temporal need not even be there.
    if (!start && route.reason === 'DISABLED') return;
    backlog.add(async () => await (await client()).removeMirror(targetOf(done, id), { start }));
  }

  return {
    afterwards: (done) => (done.operation === 'upload' ? afterUpload(done) : afterDelete(done)),
    get dropped() {
      return backlog.dropped + cut;
    },
    async close() {
      for (const { stop } of preparing) stop.abort(CLOSED);
      await Promise.allSettled([...preparing].map(({ ended }) => ended));
      await backlog.close();
    },
  };
}
