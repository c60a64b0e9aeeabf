import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import type { Logger } from 'pino';
import { FileManagementError, messageOf } from '../domain/errors.ts';
import type { Candidate, InlineLimits } from '../domain/handling.ts';
import type { FileCopy, FileOperationResult, FileRecord, FileReference, FileSource, PathSource } from '../domain/models.ts';
import type { ModelKind } from '../domain/time-limits.ts';
import type { FileListing } from '../ledger/ledger.ts';
import type { Download, StoredObject } from '../providers/provider.ts';
import { pathSourceOf } from '../sources/path-source.ts';
import { type Deleted, deleteFile, giveUp } from './delete.ts';
import { downloadFile, readFile } from './download.ts';
import { type Ensured, type EnsureOptions, ensureFile } from './ensure.ts';
import { fileNameOf } from './file-name.ts';
import { allFiles, findFile } from './find-file.ts';
import { isThere } from './originals.ts';
import { getProviderStatus, listAvailableProviders, type ProviderStatus } from './provider-status.ts';
import { type GivenInline, handleFile, type SmartHandlerDependencies, type UploadedToBest, uploadToBest } from './smart-handler.ts';
import type { Stores } from './stores.ts';
import { type Followed, type UploadOptions, type Uploads, uploadDurably } from './uploader.ts';

export interface FileManagerDependencies
  extends Pick<Stores, 'ledger' | 'provider' | 'providers'>,
    Partial<Pick<Stores, 'maintenance' | 'legacyBucket' | 'providerFor'>> {
  /** Temporal's client, connected when the first upload asks for it. */
  uploads: () => Promise<Uploads>;
  /** Up to which size (bytes) texts are given inline, and which providers may be chosen, the best first (null: all). Absent: none are but empty ones, and all may. */
  smartHandler?: { inlineMaxBytes: number; providers: readonly string[] | null };
  /** Told of each copy that `delete` has marked as deleted. */
  onDeleted?: (provider: string) => void;
  /** Each operation logs by a child of it that carries the operation's id. */
  log?: Logger;
}

export interface OperationOptions {
  signal: AbortSignal;
  /** In logs and results, and in the workflow where there is one; one is made where none is given. */
  operationId?: string;
  /** What kind of model the file is for: its time limits count; absent: a standard one's. */
  model?: ModelKind | undefined;
}

/** The reference's purpose is the use: what the file is for. */
export type HandleFileOptions = Omit<UploadOptions, 'provider' | 'idempotencyKey' | 'attempts'> & Pick<InlineLimits, 'prompt'>;

/** A file by its record, or by what a person calls it: its id, its SHA-256, a name or what it was called before it moved. */
export type Named = FileRecord | string;

export interface FileInfo extends FileRecord {
  references: FileReference[];
  /** `object`: what the provider says of a copy that should be there; null where it knows none. */
  copies: (FileCopy & { object: StoredObject | null })[];
}

export type FileManager = ReturnType<typeof createFileManager>;

const EVERYWHERE = { inlineMaxBytes: 0, providers: null };
/** Each has retries of its own inside. */
const FEW_ATTEMPTS = 3;

/** Every operation on files over the whole set of providers: one content is kept once, and what is where is the ledger's word. */
export function createFileManager({ uploads, smartHandler = EVERYWHERE, onDeleted, log, ...stores }: FileManagerDependencies) {
  const { ledger, provider, providerFor = () => provider } = stores;
  const storesFor = ({ model }: { model?: ModelKind | undefined }) => ({ ...stores, provider: providerFor(model) });

  /** Under one id in the log lines and the answer. */
  async function operation<T extends object>(
    name: string,
    options: { operationId?: string },
    work: (operationId: string) => Promise<T>,
  ): Promise<Followed<T>> {
    const operationId = options.operationId ?? randomUUID();
    const line = log?.child({ operationId, operation: name });
    const startedMs = performance.now();
    const durationMs = () => Math.round(performance.now() - startedMs);
    try {
      const result = await work(operationId);
      line?.info({ durationMs: durationMs() }, `${name} done`);
      return { ...result, operationId };
    } catch (error) {
      const code = error instanceof FileManagementError ? error.code : 'unknown';
      line?.warn({ durationMs: durationMs(), code, error: messageOf(error) }, `${name} failed`);
      throw error;
    }
  }
  const recordOf = async (file: Named): Promise<FileRecord> => (typeof file === 'string' ? await findFile(ledger, file) : file);

  async function candidates(signal: AbortSignal): Promise<Candidate[]> {
    const statuses = await listAvailableProviders(stores, { signal, ask: false });
    return await Promise.all(
      statuses.map(async ({ name, capabilities, circuit }) => {
        const own = provider(name);
        // A provider that cannot be counted now is found out when it is asked to take the file.
        const held = await own.held(signal).catch(() => null);
        return { provider: name, capabilities, circuit: own.status().circuit === 'closed' ? circuit : own.status().circuit, held };
      }),
    );
  }

  const handling = (source: PathSource, { reference, signal }: HandleFileOptions) => ({
    use: reference.purpose,
    name: fileNameOf(source, reference.name),
    signal,
  });
  const smart = (options: HandleFileOptions): SmartHandlerDependencies => ({
    candidates,
    check: (name, signal) => providerFor(options.model)(name).check(signal),
    upload: async (source, to, mayFail) =>
      await uploadDurably(source, { ...options, provider: to.provider, ...(mayFail ? { attempts: FEW_ATTEMPTS } : {}) }, await uploads()),
    inline: { maxBytes: smartHandler.inlineMaxBytes, ...(options.prompt === undefined ? {} : { prompt: options.prompt }) },
    preferred: smartHandler.providers,
  });

  return {
    /** @throws FileNotFoundError; ValidationError `name_ambiguous` */
    find: (given: string): Promise<FileRecord> => findFile(ledger, given),

    /** Who holds a file. */
    references: async (file: Named): Promise<FileReference[]> => await ledger.references((await recordOf(file)).id),

    /** Sends nothing where the content is there already. @param file a path, or where workers find the bytes */
    upload: (file: string | FileSource, options: UploadOptions): Promise<Followed<FileOperationResult>> =>
      operation('upload', options, async (operationId) => {
        // Before anything is started: an unknown provider is the caller's mistake.
        provider(options.provider);
        const source = typeof file === 'string' ? await pathSourceOf(resolve(file)) : file;
        return await uploadDurably(source, { ...options, operationId }, await uploads());
      }),

    /** Gives a small text inline where its use allows that, and uploads everything else to the provider that suits it best. */
    handle: (file: string | PathSource, options: HandleFileOptions): Promise<Followed<GivenInline | UploadedToBest>> =>
      operation('handle', options, async (operationId) => {
        const source = typeof file === 'string' ? await pathSourceOf(resolve(file)) : file;
        return await handleFile(source, handling(source, options), smart({ ...options, operationId }));
      }),

    /** As `handle`, and never inline. */
    uploadToBest: (file: string | PathSource, options: HandleFileOptions): Promise<Followed<UploadedToBest>> =>
      operation('upload', options, async (operationId) => {
        const source = typeof file === 'string' ? await pathSourceOf(resolve(file)) : file;
        return await uploadToBest(source, handling(source, options), smart({ ...options, operationId }));
      }),

    /** Writes it to `target`, whole and checked, or not at all. */
    download: (file: Named, target: string, options: OperationOptions & { onProgress?: (bytes: number) => void }) =>
      operation('download', options, async () => await downloadFile(await recordOf(file), target, storesFor(options), options)),

    /** The bytes as they come, checked at the end. */
    read: (file: Named, options: OperationOptions): Promise<Followed<Download>> =>
      operation('read', options, async () => await readFile(await recordOf(file), storesFor(options), options.signal)),

    /** Gives holds up; the file goes when nobody holds it any more. */
    delete: (
      file: Named,
      options: OperationOptions & { references?: readonly string[] | 'all'; reason: string; purge?: boolean },
    ): Promise<Followed<Deleted>> =>
      operation('delete', options, async () => {
        const { references = 'all', reason, purge = false, signal } = options;
        const observed = { ...storesFor(options), ...(onDeleted === undefined ? {} : { onDeleted }) };
        return await deleteFile(await recordOf(file), references, { reason, purge, signal }, observed);
      }),

    /** As `delete`, for a hold that is known to be this file's. */
    giveUp: (file: FileRecord, held: FileReference, options: OperationOptions & { reason: string }) =>
      operation('delete', options, async () => {
        const observed = { ...storesFor(options), ...(onDeleted === undefined ? {} : { onDeleted }) };
        return await giveUp(file, [held], options.reason, observed);
      }),

    /** What the ledger and, where they should have a copy, the providers know. */
    info: (file: Named, options: OperationOptions): Promise<Followed<FileInfo>> =>
      operation('info', options, async () => {
        const record = await recordOf(file);
        const [references, copies] = await Promise.all([ledger.references(record.id), ledger.copies(record.id)]);
        const withObjects = copies.map(async (copy) => ({
          ...copy,
          object: isLive(copy) ? await providerFor(options.model)(copy.provider).info(copy.providerFileId ?? '', options.signal) : null,
        }));
        return { ...record, references, copies: await Promise.all(withObjects) };
      }),

    /** Every file with a live copy, by id and page by page. `after`: the id of the last one that is known. */
    list: ({ limit, after = null }: { limit?: number; after?: string | null } = {}): AsyncGenerator<FileListing> =>
      allFiles(ledger, limit, after),

    /** Whether a copy that has not expired is on record; `info` and `ensure` ask the provider itself. */
    async exists(file: { id: string } | { sha256: string }, at?: string): Promise<boolean> {
      const record = 'id' in file ? await ledger.file(file.id) : await ledger.fileByHash(file.sha256);
      if (record === null) return false;
      const account = at === undefined ? null : provider(at).account;
      return (await ledger.copies(record.id)).some(
        (copy) =>
          isLive(copy) &&
          copy.namespace === 'live' &&
          isThere(copy, Date.now()) &&
          (at === undefined || (copy.provider === at && copy.account === account)),
      );
    },

    /** An id at this provider that works now. @param file also an id of this provider's own */
    ensure: (file: Named, at: string, options: EnsureOptions): Promise<Followed<Ensured>> =>
      operation('ensure', options, async (operationId) => {
        const { account } = provider(at);
        const known = typeof file === 'string' ? await ledger.copyByProviderId(at, account, file) : null;
        const upload = async (order: Parameters<Uploads['startUpload']>[0]) => {
          const client = await uploads();
          return await client.uploadResult(await client.startUpload(order));
        };
        return await ensureFile(known?.file ?? (await recordOf(file)), at, { ...storesFor(options), upload }, { ...options, operationId });
      }),

    getProviderStatus: (name: string, { signal }: { signal: AbortSignal }): Promise<ProviderStatus> =>
      getProviderStatus(name, stores, { signal, ask: true }),
    listAvailableProviders: ({ signal }: { signal: AbortSignal }): Promise<ProviderStatus[]> =>
      listAvailableProviders(stores, { signal, ask: true }),
  };
}

/** Completed, not deleted, and with an object to ask for. */
export const isLive = ({ status, deletedAt, providerFileId }: FileCopy): boolean =>
  status === 'completed' && deletedAt === null && providerFileId !== null;
