import { choosePurpose } from '../domain/capabilities.ts';
import { DuplicateFileError, FileManagementError, FileNotFoundError, UploadError } from '../domain/errors.ts';
import type { FileContent, FileSource, Namespace, NewReference } from '../domain/models.ts';
import type { Claimed, Recorded, Stored } from '../domain/upload-file.ts';
import type { UploadOrder } from '../domain/upload-order.ts';
import type { Claim, ClaimRequest, Ledger } from '../ledger/ledger.ts';
import { namesByContent, type ObjectIdentity, type Provider } from '../providers/provider.ts';
import { createFileBytes, hashObject } from './file-bytes.ts';
import { mimeTypeOf } from './file-name.ts';
import { checkExtension, checkFit, checkReadBack, type Destination, type Limits } from './fit.ts';
import type { HashCache } from './hash-cache.ts';
import { uploadIdOf } from './upload-id.ts';

/** How long deleting an object too many may take. */
const SURPLUS_MS = 30_000;

/** Whose upload it is, and where to. */
export interface UploadTarget {
  provider: string;
  namespace: Namespace;
  /** The caller's own words: name and purpose as they gave them. */
  reference: NewReference;
  /** What the provider is told that it is called. See `fileNameOf`. */
  fileName: string;
  owner: string;
  /** Of this one upload: a copy that was made under it is our own. */
  idempotencyKey: string;
  leaseSeconds: number;
  /** Whether a content that is there already is the answer, or an error. */
  onDuplicate: 'reuse' | 'error';
  replaces?: UploadOrder['replaces'];
  distinctBy?: UploadOrder['distinctBy'];
}

/** What a step may use of its surroundings. */
export interface StepContext {
  signal: AbortSignal;
  onProgress?: (bytes: number) => void;
}

export interface StoreContext extends StepContext {
  checkpoint?: unknown;
  onCheckpoint?: (checkpoint: unknown) => void;
}

/** Somebody else sends the content now. */
export type Busy = Extract<Claim, { outcome: 'busy' }>;

/** An object that came to be twice, and whether it could be deleted. */
export interface Surplus {
  provider: string;
  id: string;
  error: unknown;
}

export interface UploadStepsDependencies {
  ledger: Ledger;
  /** Throws ProviderNotFoundError. */
  provider: (name: string) => Provider;
  limits: Limits;
  /** What files of this machine were when they were last read; absent: each is read. */
  hashes?: HashCache;
  onSurplus?: (surplus: Surplus) => void;
}

/** The codes under which what is at the provider must be replaced, not taken. */
const REPLACED = new Set(['verification_failed', 'gone', 'expired', 'expired_at_provider']);

/** Where ids follow from the content, the one that we have just made has the same. */
const isReplaced = ({ providerFileId, idempotencyKey }: Claim & { outcome: 'completed' }, target: UploadTarget): boolean =>
  providerFileId === target.replaces?.providerFileId && idempotencyKey !== target.idempotencyKey;

/** The four steps of one file over the ports: hash → dedupe (claim) → provider upload (store) → record; and verify, give up. */
export function createUploadSteps({ ledger, provider, limits, hashes, onSurplus }: UploadStepsDependencies) {
  const bytes = createFileBytes({ ledger, provider, ...(hashes === undefined ? {} : { hashFile: hashes.hash }) });
  const purposeOf = ({ provider: to, reference, fileName }: UploadTarget, sizeBytes: number): string =>
    choosePurpose(to, provider(to).capabilities, reference.purpose, { name: fileName, sizeBytes });

  /** Ids that do not follow from the content: what an earlier attempt left must go, or it would be found and taken again. */
  async function removeDamaged(from: Provider, identity: ObjectIdentity, signal: AbortSignal): Promise<void> {
    for (let found = await from.find(identity, signal); found !== null; ) {
      await from.delete(found.id, signal);
      const next = await from.find(identity, signal);
      // A listing that lags still shows what is gone.
      found = next?.id === found.id ? null : next;
    }
  }
  /** Two may have sent the same content, one after the other's lease had run out: the first to be recorded counts. */
  async function theOneThatCounts(claim: Claimed, { id }: Stored, to: Provider): Promise<true | string> {
    const counting = (await ledger.copies(claim.fileId)).find((copy) => copy.id === claim.copyId)?.providerFileId ?? id;
    if (counting === id) return true;
    const error = await to.delete(id, AbortSignal.timeout(SURPLUS_MS)).then(
      () => null,
      (reason: unknown) => reason,
    );
    onSurplus?.({ provider: to.name, id, error });
    return counting;
  }

  return {
    /** Reads the file once, unless the ledger knows it. Throws what a person must know of it: gone, unreadable, not taken there. */
    async hash(source: FileSource, to: Destination, context: StepContext): Promise<FileContent> {
      const { name, capabilities } = provider(to.provider);
      const shown = source.kind === 'path' ? source.path : source.name;
      // By what the caller calls it: what is staged has no name of its own.
      checkExtension(to.name, limits, shown);
      checkFit(shown, source.sizeBytes, limits, to, capabilities);
      if (to.verify === 'download') checkReadBack(name, capabilities, to.purpose, { name: to.name, sizeBytes: source.sizeBytes });
      const measured = await bytes.hash(source, context);
      checkFit(shown, measured.sizeBytes, limits, to, capabilities);
      return { ...measured, mimeType: mimeTypeOf(source, to.name) };
    },

    /** Asks the database who is to send this content. Throws DuplicateFileError where duplicates are not to be reused. */
    async claim(content: FileContent, target: UploadTarget): Promise<Claimed | Busy> {
      const { name, account } = provider(target.provider);
      const request: ClaimRequest = {
        provider: name,
        account,
        purpose: purposeOf(target, content.sizeBytes),
        namespace: target.namespace,
        content,
        originalName: target.reference.name,
        owner: target.owner,
        idempotencyKey: target.idempotencyKey,
        leaseSeconds: target.leaseSeconds,
      };
      let claim = await ledger.claim(request);
      if (claim.outcome === 'completed' && isReplaced(claim, target)) {
        await ledger.invalidate(claim.copyId, target.replaces?.code ?? 'replaced');
        claim = await ledger.claim(request);
      }
      if (claim.outcome !== 'completed') return claim;
      const { idempotencyKey, ...completed } = claim;
      const byUs = idempotencyKey === target.idempotencyKey;
      if (!byUs && target.onDuplicate === 'error')
        throw new DuplicateFileError(`${target.reference.name} is there already as ${claim.fileId} (ON_DUPLICATE=error)`, {
          code: 'duplicate',
          provider: name,
        });
      return { ...completed, byUs };
    },

    /** Sends the bytes. An earlier attempt's object is found and taken where it is whole. */
    async store(
      source: FileSource,
      content: FileContent,
      claim: Claimed & { outcome: 'claimed' },
      target: UploadTarget,
      context: StoreContext,
    ): Promise<Stored> {
      const to = provider(target.provider);
      const { sha256, sizeBytes } = content;
      const identity = { marker: claim.copyId, sha256, namespace: target.namespace, purpose: purposeOf(target, sizeBytes) };
      const replace = REPLACED.has(claim.lastErrorCode ?? '');
      if (replace && !namesByContent(to)) await removeDamaged(to, { ...identity, sizeBytes }, context.signal);
      try {
        const { id, expiresAt } = await to.upload({
          ...identity,
          mimeType: content.mimeType,
          body: bytes.body(source, content),
          name: target.fileName,
          retried: claim.attempts > 1 && !replace,
          ...context,
        });
        return { id, expiresAt };
      } catch (error) {
        if (source.kind === 'path' && error instanceof FileManagementError && error.code === 'file_changed') hashes?.forget(source.path);
        throw error;
      }
    },

    /**
     * Marks the copy as there and the reference as held. False when the claim was lost; else the id that counts, or true; with the
     * upload's own id where it is to have one. Idempotent.
     */
    async record(claim: Claimed, stored: Stored, target: UploadTarget): Promise<boolean | string | Recorded> {
      const { reference, distinctBy } = target;
      const uploadId = distinctBy === undefined ? undefined : uploadIdOf(claim.fileId, reference, distinctBy);
      // Nobody holds what a comparison uploads: it is removed when that is over.
      const recorded =
        target.namespace === 'shadow'
          ? ledger.complete(claim.copyId, target.owner, stored.id, stored.expiresAt)
          : ledger.record(
              claim,
              target.owner,
              stored.id,
              uploadId === undefined ? reference : { ...reference, uploadId },
              stored.expiresAt,
            );
      if (!(await recorded)) return false;
      const to = provider(target.provider);
      const counting = claim.outcome === 'completed' || namesByContent(to) ? true : await theOneThatCounts(claim, stored, to);
      return uploadId === undefined ? counting : { providerFileId: counting === true ? stored.id : counting, uploadId };
    },

    /** Compares the copy with the content: by what the provider has on record (`stored`), or by reading all of it back (`download`). */
    async verify(
      content: FileContent,
      claim: Claimed,
      providerFileId: string,
      how: 'stored' | 'download',
      target: UploadTarget,
      context: StepContext,
    ): Promise<void> {
      const from = provider(target.provider);
      if (how === 'download')
        checkReadBack(from.name, from.capabilities, target.reference.purpose, { name: target.fileName, sizeBytes: content.sizeBytes });
      const fault =
        how === 'stored'
          ? await recordFault(from, providerFileId, content, context)
          : await contentFault(from, providerFileId, content, context);
      if (fault === null) return;
      // Somebody may have replaced it meanwhile, and theirs has no fault.
      const copy = (await ledger.copies(claim.fileId)).find(({ id }) => id === claim.copyId);
      if (copy?.providerFileId === providerFileId) await ledger.invalidate(claim.copyId, 'verification_failed');
      throw new UploadError(`The copy at ${from.name} of ${target.reference.name} is damaged: ${fault}`, {
        code: 'verification_failed',
        provider: from.name,
      });
    },

    /** So that others need not wait for the lease. */
    async giveUp(claim: Claimed, target: UploadTarget, errorCode: string): Promise<void> {
      if (claim.outcome === 'claimed') await ledger.fail(claim.copyId, target.owner, errorCode);
    },
  };
}

export type UploadStepFunctions = ReturnType<typeof createUploadSteps>;

async function recordFault(from: Provider, id: string, content: FileContent, { signal }: StepContext): Promise<string | null> {
  const found = await from.info(id, signal);
  if (found === null) return 'it is not there';
  if (found.sizeBytes !== content.sizeBytes) return `it has ${found.sizeBytes} bytes instead of ${content.sizeBytes}`;
  const other = found.sha256 !== null && found.sha256 !== content.sha256;
  return other ? `its SHA-256 is ${found.sha256} instead of ${content.sha256}` : null;
}

async function contentFault(from: Provider, id: string, content: FileContent, context: StepContext): Promise<string | null> {
  try {
    const { sha256 } = await hashObject(from, id, context);
    return sha256 === content.sha256 ? null : `its SHA-256 is ${sha256} instead of ${content.sha256}`;
  } catch (error) {
    if (error instanceof FileNotFoundError) return 'it is not there';
    throw error;
  }
}
