import mime from 'mime';
import { DuplicateFileError, FileNotFoundError, UploadError, ValidationError } from '../domain/errors.ts';
import type { FileContent, FileSource, Namespace, NewReference } from '../domain/models.ts';
import type { Claimed } from '../domain/upload-file.ts';
import type { Claim, Ledger } from '../ledger/ledger.ts';
import type { Provider } from '../providers/provider.ts';
import { hashFile, readFileChunks } from '../sources/local-file.ts';
import { hashDownload } from './download.ts';

export interface Limits {
  maxFileBytes: number;
  /** Without the dot, in lower case; null allows all. */
  allowedExtensions: readonly string[] | null;
}

/** Whose upload it is, and where to. */
export interface UploadTarget {
  provider: string;
  namespace: Namespace;
  reference: NewReference;
  owner: string;
  /** Of this one upload: a copy that was made under it is our own. */
  idempotencyKey: string;
  leaseSeconds: number;
  /** Whether a content that is there already is the answer, or an error. */
  onDuplicate: 'reuse' | 'error';
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

export interface UploadStepsDependencies {
  ledger: Ledger;
  /** Throws ProviderNotFoundError. */
  provider: (name: string) => Provider;
  limits: Limits;
}

/** The four steps of one file over the ports: hash → dedupe (claim) → provider upload (store) → record; and verify, give up. */
export function createUploadSteps({ ledger, provider, limits }: UploadStepsDependencies) {
  return {
    /** Reads the file once. Throws what a person must know of it: gone, unreadable, too large, not allowed. */
    async hash(source: FileSource, target: { provider: string; name: string }, context: StepContext): Promise<FileContent> {
      if (source.kind !== 'path') throw new TypeError('not yet');
      checkExtension(source.path, limits);
      checkSize(source.path, source.sizeBytes, limits, provider(target.provider));
      const { sha256, sizeBytes } = await hashFile(source, context);
      checkSize(source.path, sizeBytes, limits, provider(target.provider));
      return { sha256, sizeBytes, mimeType: typeOf(target.name) ?? typeOf(source.path) ?? 'application/octet-stream' };
    },

    /** Asks the database who is to send this content. Throws DuplicateFileError where duplicates are not to be reused. */
    async claim(content: FileContent, target: UploadTarget): Promise<Claimed | Busy> {
      const { name, account } = provider(target.provider);
      const claim = await ledger.claim({
        provider: name,
        account,
        purpose: target.reference.purpose,
        namespace: target.namespace,
        content,
        originalName: target.reference.name,
        owner: target.owner,
        idempotencyKey: target.idempotencyKey,
        leaseSeconds: target.leaseSeconds,
      });
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

    /** Sends the bytes and answers the provider's id. An earlier attempt's object is found and taken where it is whole. */
    async store(
      source: FileSource,
      content: FileContent,
      claim: Claimed & { outcome: 'claimed' },
      target: UploadTarget,
      context: StoreContext,
    ): Promise<string> {
      if (source.kind !== 'path') throw new TypeError('not yet');
      const to = provider(target.provider);
      const stored = await to.upload({
        ...content,
        body: {
          sizeBytes: content.sizeBytes,
          open: (offset, signal) => readFileChunks(source.path, content.sizeBytes, offset, signal),
        },
        purpose: target.reference.purpose,
        namespace: target.namespace,
        name: target.reference.name,
        marker: claim.copyId,
        retried: claim.attempts > 1 && claim.lastErrorCode !== 'verification_failed',
        ...context,
      });
      return stored.id;
    },

    /** Marks the copy as there and the reference as held. False when the claim was lost. Idempotent. */
    async record(claim: Claimed, providerFileId: string, target: UploadTarget): Promise<boolean> {
      return await ledger.record(claim, target.owner, providerFileId, target.reference);
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
      const fault =
        how === 'stored'
          ? await sizeFault(from, providerFileId, content, context)
          : await contentFault(from, providerFileId, content, context);
      if (fault === null) return;
      await ledger.invalidate(claim.copyId, 'verification_failed');
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

/** By the extension: the library takes a name without a dot for one. */
function typeOf(name: string): string | null {
  return /[^/]\.[^./]+$/.test(name) ? mime.getType(name) : null;
}

function checkExtension(path: string, { allowedExtensions }: Limits): void {
  if (allowedExtensions === null) return;
  const extension = /\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? '';
  if (allowedExtensions.includes(extension)) return;
  throw new ValidationError(`${path}: the extension ${extension === '' ? '(none)' : `.${extension}`} is not allowed (ALLOWED_EXTENSIONS)`, {
    code: 'extension_not_allowed',
  });
}

function checkSize(path: string, sizeBytes: number, limits: Limits, { name, capabilities }: Provider): void {
  if (sizeBytes > limits.maxFileBytes)
    throw new ValidationError(`${path} has ${sizeBytes} bytes; at most ${limits.maxFileBytes} are allowed (MAX_FILE_SIZE_MB)`, {
      code: 'file_too_large',
    });
  if (sizeBytes > capabilities.maxFileBytes)
    throw new ValidationError(`${path} has ${sizeBytes} bytes; ${name} takes at most ${capabilities.maxFileBytes}`, {
      code: 'file_too_large',
      provider: name,
    });
}

async function sizeFault(from: Provider, id: string, content: FileContent, { signal }: StepContext): Promise<string | null> {
  const found = await from.info(id, signal);
  if (found === null) return 'it is not there';
  return found.sizeBytes === content.sizeBytes ? null : `it has ${found.sizeBytes} bytes instead of ${content.sizeBytes}`;
}

async function contentFault(from: Provider, id: string, content: FileContent, context: StepContext): Promise<string | null> {
  try {
    const sha256 = await hashDownload(from, id, context);
    return sha256 === content.sha256 ? null : `its SHA-256 is ${sha256} instead of ${content.sha256}`;
  } catch (error) {
    if (error instanceof FileNotFoundError) return 'it is not there';
    throw error;
  }
}
