import { createHash } from 'node:crypto';
import { choosePurpose } from '../domain/capabilities.ts';
import { FileManagementError, ValidationError } from '../domain/errors.ts';
import type { FileCopy, FileOperationResult, FileRecord, NewReference, ObjectSource } from '../domain/models.ts';
import type { ModelKind } from '../domain/time-limits.ts';
import type { UploadOrder } from '../domain/upload-order.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Provider, StoredObject } from '../providers/provider.ts';
import { isThere, readableCopies } from './originals.ts';
import { unlessAborted } from './waiting.ts';

/** `there`: the id that was given out before still works. `uploaded_again`: its object had expired, was gone or damaged. */
export interface Ensured {
  outcome: 'there' | 'uploaded_again' | 'uploaded';
  fileId: string;
  provider: string;
  /** The id that works now. */
  providerFileId: string;
  purpose: string;
  /** When the provider drops it; null: it keeps it. */
  expiresAt: string | null;
  /** The id that does not do any more; null where there was none. */
  replaced: string | null;
}

export interface EnsureOptions {
  /** A use, or one of the provider's own; absent: what the copy there was for, or what the file's holder said. */
  purpose?: string;
  /** An id must last for so long still, in ms. */
  marginMs?: number;
  /** What kind of model the file is for: its time limits count; absent: a standard one's. */
  model?: ModelKind | undefined;
  operationId?: string;
  signal: AbortSignal;
}

export interface EnsureDependencies {
  ledger: Ledger;
  /** Throws ProviderNotFoundError. */
  provider: (name: string) => Provider;
  /** A whole upload, by the durable workflow. */
  upload: (order: UploadOrder) => Promise<FileOperationResult>;
  now?: () => number;
}

const HOUR_MS = 3_600_000;

/**
 * An id of this file at a provider that works now: what the ledger knows is confirmed there; where it does not do, the file is
 * uploaded again from a copy that is there and can be read. Several at once make one upload.
 * @throws ValidationError `original_not_available`, and `margin_too_long` where the provider keeps no file for so long
 */
export async function ensureFile(file: FileRecord, at: string, dependencies: EnsureDependencies, options: EnsureOptions): Promise<Ensured> {
  const { ledger, provider, upload, now = Date.now } = dependencies;
  const { marginMs = HOUR_MS, operationId, model, signal } = options;
  const to = provider(at);
  checkMargin(to, marginMs);
  const [copies, references] = await Promise.all([ledger.copies(file.id), ledger.references(file.id)]);
  const name = references[0]?.name ?? file.originalName ?? file.id;
  const resolve = (wanted: string) => choosePurpose(at, to.capabilities, wanted, { name, sizeBytes: file.sizeBytes });
  const wanted = options.purpose === undefined ? null : resolve(options.purpose);
  const candidates = copies
    .filter((copy) => isCompletedAt(to, copy) && (wanted === null || copy.purpose === wanted))
    .sort((a, b) => Date.parse(b.updatedAt) - Date.parse(a.updatedAt));

  const ensured = { fileId: file.id, provider: at };
  const there = (copy: FileCopy, expiresAt: string | null): Ensured => ({
    ...{ ...ensured, outcome: 'there', providerFileId: copy.providerFileId ?? '', purpose: copy.purpose, expiresAt, replaced: null },
  });
  let ending: Ensured | null = null;
  const dead: { copy: FileCopy; code: string }[] = [];
  for (const copy of candidates) {
    const { code, expiresAt } = await judge(to, file, copy, signal);
    if (code === null && lasts(expiresAt, now() + marginMs)) return there(copy, expiresAt);
    // What is on hold is not taken away while it is there.
    if (code === null) ending ??= there(copy, expiresAt);
    if (code === null && copy.legalHold) return there(copy, expiresAt);
    dead.push({ copy, code: code ?? 'expired' });
  }

  const [first] = dead;
  const replaced = first?.copy.providerFileId ?? null;
  const readable = copies.filter((copy) => !dead.some((one) => one.copy.id === copy.id));
  const { source, lost, trouble } = await findSource(file, name, readable, dependencies, signal);
  if (source === null) {
    // An id that ends soon is taken away for a better one alone.
    if (ending !== null) return ending;
    throw trouble ?? noOriginal(file, name, copies, new Set([...dead.map(({ copy }) => copy.id), ...lost]));
  }
  const purpose = wanted ?? first?.copy.purpose ?? heldFor(references, resolve) ?? 'storage';
  const reference = referenceOf(name, purpose, references, resolve);
  const order: UploadOrder = {
    idempotencyKey: keyOf(file.id, at, resolve(purpose)),
    ...{ source, provider: at, namespace: 'live', reference, verify: 'none', onDuplicate: 'reuse' },
    ...(operationId === undefined ? {} : { operationId }),
    ...(model === undefined ? {} : { model }),
    ...(first === undefined || replaced === null ? {} : { replaces: { providerFileId: replaced, code: first.code } }),
  };
  // The upload goes on where nobody waits for it any more.
  const result = await unlessAborted(upload(order), signal);
  const made = await ledger.copyByProviderId(at, to.account, result.providerFileId);
  const uploaded = replaced === null ? 'uploaded' : 'uploaded_again';
  return {
    ...ensured,
    outcome: result.outcome === 'deduplicated' ? 'there' : uploaded,
    providerFileId: result.providerFileId,
    purpose: made?.copy.purpose ?? resolve(purpose),
    expiresAt: made?.copy.expiresAt ?? null,
    replaced,
  };
}

const isCompletedAt = (to: Provider, copy: FileCopy): boolean =>
  copy.provider === to.name &&
  copy.account === to.account &&
  copy.namespace === 'live' &&
  copy.status === 'completed' &&
  copy.deletedAt === null &&
  copy.purgedAt === null &&
  copy.providerFileId !== null;

const lasts = (expiresAt: string | null, untilMs: number): boolean => expiresAt === null || Date.parse(expiresAt) > untilMs;

/** Whether the object is there and whole; `code` says why it is not. When it ends, the provider knows best. */
async function judge(
  to: Provider,
  file: FileRecord,
  copy: FileCopy,
  signal: AbortSignal,
): Promise<{ code: string | null; expiresAt: string | null }> {
  const object = await to.info(copy.providerFileId ?? '', signal);
  const expiresAt = object?.expiresAt ?? copy.expiresAt;
  if (object === null) return { code: lasts(copy.expiresAt, Date.now()) ? 'gone' : 'expired', expiresAt };
  if (isDamaged(file, object)) return { code: 'verification_failed', expiresAt };
  return { code: lasts(expiresAt, Date.now()) ? null : 'expired', expiresAt };
}

/** Whether an object cannot be this file, as far as its provider tells. */
const isDamaged = ({ sizeBytes, sha256 }: FileRecord, object: StoredObject): boolean =>
  (sizeBytes !== null && object.sizeBytes !== sizeBytes) || (sha256 !== null && object.sha256 !== null && object.sha256 !== sha256);

/** An id that never lasts for so long would be replaced each time, and the one before it taken away from whoever uses it. */
function checkMargin({ name, capabilities: { expiresAfterSeconds } }: Provider, marginMs: number): void {
  if (expiresAfterSeconds === null || marginMs < expiresAfterSeconds * 1000) return;
  throw new ValidationError(
    `${name} drops files after ${expiresAfterSeconds} seconds: no id there lasts for another ${Math.round(marginMs / 1000)}. Ask for less (--lasting)`,
    { code: 'margin_too_long', provider: name },
  );
}

/** The first copy that can be read and that its provider still has; else which ones are lost, and what kept us from looking. */
async function findSource(
  file: FileRecord,
  name: string,
  copies: readonly FileCopy[],
  { provider, now = Date.now }: EnsureDependencies,
  signal: AbortSignal,
): Promise<{ source: ObjectSource | null; lost: string[]; trouble: unknown }> {
  const { sizeBytes, mimeType } = file;
  const lost: string[] = [];
  let trouble: unknown = null;
  if (sizeBytes === null) return { source: null, lost, trouble };
  for (const { from, id } of readableCopies(copies, provider, now())) {
    try {
      const object = await from.info(id, signal);
      if (object !== null && !isDamaged(file, object))
        return { source: { kind: 'object', provider: from.name, id, sizeBytes, name, mimeType }, lost, trouble };
      lost.push(...copies.filter((copy) => copy.provider === from.name && copy.providerFileId === id).map((copy) => copy.id));
    } catch (error) {
      signal.throwIfAborted();
      trouble ??= error;
    }
  }
  return { source: null, lost, trouble };
}

function noOriginal(file: FileRecord, name: string, copies: readonly FileCopy[], dead: ReadonlySet<string>): ValidationError {
  const places = copies.map((copy) => {
    if (copy.purgedAt !== null || copy.deletedAt !== null) return `${copy.provider} (deleted)`;
    if (copy.status !== 'completed') return `${copy.provider} (${copy.status})`;
    if (dead.has(copy.id)) return `${copy.provider} (expired, gone or damaged)`;
    return isThere(copy, Date.now()) ? `${copy.provider} (cannot be read back from here)` : `${copy.provider} (expired)`;
  });
  return new ValidationError(
    `No copy of ${name} (${file.id}) can be read: ${places.length === 0 ? 'there never was one' : [...new Set(places)].join(', ')}. ` +
      'Upload it from where it came from: npx cutover upload FILE',
    { code: 'original_not_available' },
  );
}

/** What a holder said that it is for, where this provider knows that. */
function heldFor(references: readonly NewReference[], resolve: (wanted: string) => string): string | null {
  return references.map(({ purpose }) => purpose).find((purpose) => resolvedOrNull(resolve, purpose) !== null) ?? null;
}

function resolvedOrNull(resolve: (wanted: string) => string, wanted: string): string | null {
  try {
    return resolve(wanted);
  } catch (error) {
    if (error instanceof FileManagementError && error.code === 'purpose_unknown') return null;
    throw error;
  }
}

/** The hold of somebody who has the file already: making sure of it is no reason for another. */
function referenceOf(
  name: string,
  purpose: string,
  references: readonly NewReference[],
  resolve: (wanted: string) => string,
): NewReference {
  const same = references.find((held) => resolvedOrNull(resolve, held.purpose) === resolve(purpose));
  const held = same ?? references[0];
  if (held === undefined) return { tool: 'ensure', userId: null, name, purpose, context: null, tags: [], keep: 'expire' };
  const { tool, userId, context, tags, keep } = held;
  return { tool, userId, name: held.name, context, tags, keep, purpose: same?.purpose ?? purpose };
}

/** One upload at a time for a file, a provider and a purpose, whoever asks. A hash, because workflow ids are stored in plain text. */
const keyOf = (...parts: string[]): string => `ensure-${createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)}`;
