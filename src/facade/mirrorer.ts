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
  /** Until those that wait were tried once more. */
  close(): Promise<void>;
}

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

  function write(done: UploadDone, stored: StoredFile, source: Pick<FileToMirror, 'source' | 'staged' | 'late'>): void {
    const { file, context, step, servedBy } = done;
    const { name, sizeBytes, mimeType } = file;
    const wanted: FileToMirror = { name, sizeBytes, mimeType, purpose: context.purpose, step, ...source };
    const taken = backlog.add(async () => await (await client()).writeMirror(targetOf(done, stored.id), wanted));
    if (taken) return;
    // Evidence for the next stage: this file is not at unified, and nothing will bring it there.
    if (servedBy === 'legacy' && source.source !== null)
      outcomes.record({ tool: context.tool, arm: 'unified', step, code: 'mirror_dropped', ms: 0, atMs: now() });
    if (source.staged && source.source?.kind === 'object') void staging.remove(source.source.id).catch(() => undefined);
    onTrouble?.(
      new ProviderUnavailableError(`The upload ${context.operationId} has no mirror: Temporal was away for too long`, {
        ...{ code: 'mirror_dropped', provider: 'temporal' },
      }),
    );
  }

  /** Where workers can read what legacy has: there, or in Storage, where it is laid for them. */
  async function sourceFor({ file, context }: UploadDone, stored: StoredFile): Promise<Pick<FileToMirror, 'source' | 'staged'>> {
    const signal = new AbortController().signal;
    const there = await legacy.locate?.(stored.id, { ...context, signal });
    if (there != null) return { source: there, staged: false };
    const { name, sizeBytes, mimeType } = file;
    const id = await staging.put(file, signal);
    return { source: { kind: 'object', provider: 'supabase', id, sizeBytes, name, mimeType }, staged: true };
  }

  async function afterUpload(done: UploadDone): Promise<void> {
    const { stored, servedBy, route, late } = done;
    if (stored === null) return;
    if (servedBy === 'unified') {
      if (route.writesBoth) write(done, stored, { source: null, staged: false, late: null });
      return;
    }
    const operation = late?.idempotencyKey ?? null;
    if (route.writesBoth) write(done, stored, { ...(await sourceFor(done, stored)), late: operation });
    else write(done, stored, { source: null, staged: false, late: operation });
    // Also where Temporal took it only after the mirror had asked for it in vain.
    void late?.file.then((arrived) => {
      if (arrived !== null) write(done, stored, { source: null, staged: false, late: operation });
    });
  }

  async function afterDelete(done: DeleteDone): Promise<void> {
    const { id, servedBy, route, context } = done;
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
      return backlog.dropped;
    },
    close: backlog.close,
  };
}
