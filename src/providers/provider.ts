import type { Capabilities } from '../domain/capabilities.ts';
import type { Namespace } from '../domain/models.ts';

/** The bytes to send: can be opened again for a retry, and knows its length before the first byte. */
export interface UploadBody {
  readonly sizeBytes: number;
  /** Chunks from `offset` on; the memory of one is used again after the next two were taken: copy what you keep. Throws a FileManagementError when the source is gone or has changed. */
  open(offset: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** What tells one object from all others. */
export interface ObjectIdentity {
  /**
   * The ledger's id of this copy (a UUID). A vendor that makes its own ids carries it in the name, so that an object whose answer
   * was lost is found again. A storage goes by the content alone.
   */
  marker: string;
  sha256: string;
  sizeBytes: number;
  namespace: Namespace;
  /** One of the vendor's own where it has some (`choosePurpose`). */
  purpose: string;
}

export interface UploadRequest extends Omit<ObjectIdentity, 'sizeBytes'> {
  body: UploadBody;
  /** What the caller calls the file: any text. */
  name: string;
  mimeType: string;
  /** An earlier attempt may have left the object: it is looked for before a byte is sent. */
  retried: boolean;
  signal: AbortSignal;
  /** Called with the bytes that the provider has taken so far; throttled by the provider. */
  onProgress?: (sentBytes: number) => void;
  /** What an earlier attempt left by `onCheckpoint`, to go on from there. Opaque to everybody else. */
  checkpoint?: unknown;
  onCheckpoint?: (checkpoint: unknown) => void;
}

/** An object as the provider tells of it; null is what it does not tell. `id` is what the ledger keeps as `provider_file_id`. */
export interface StoredObject {
  id: string;
  sizeBytes: number;
  mimeType: string | null;
  createdAt: string | null;
  /** The name that the provider shows. */
  name: string | null;
  purpose: string | null;
  /** Lower-case hex. */
  sha256: string | null;
  /** When the provider will drop it. */
  expiresAt: string | null;
  /** Whether this object's original can be read back, where it says so itself. */
  downloadable: boolean | null;
}

/** A stored object of which no more is known than this. */
export const storedObjectOf = (known: Pick<StoredObject, 'id' | 'sizeBytes'> & Partial<StoredObject>): StoredObject => ({
  mimeType: null,
  createdAt: null,
  name: null,
  purpose: null,
  sha256: null,
  expiresAt: null,
  downloadable: null,
  ...known,
});

export interface StoredPage {
  objects: StoredObject[];
  /** Hand this in as `after` to go on behind this page, also in another process; null where nothing is known to follow. */
  next: string | null;
}

export interface ListOptions {
  /** Only ids that begin so: `bucket/folder/` at a storage. Absent: all that the configuration names (its bucket, its account). */
  under?: string | undefined;
  /** A page's `next`. */
  after?: string | null | undefined;
  signal: AbortSignal;
}

export interface Download {
  sizeBytes: number;
  mimeType: string | null;
  /** Throws a retryable DownloadError when the connection breaks or fewer bytes come than were announced. */
  chunks: AsyncIterable<Uint8Array>;
}

/**
 * Where bytes end up. Implemented once per vendor; one conformance suite runs against each.
 * Every call retries inside its own budget what a retry can help, and throws errors of `domain/errors.ts` alone.
 */
export interface Provider {
  readonly name: string;
  /** Which account of the vendor: copies in two accounts are two copies. Never a secret. */
  readonly account: string;
  readonly capabilities: Capabilities;
  /** Only of storages that have buckets. */
  readonly buckets?: BucketStore;
  /** Resolves when the provider can take files now (address, credentials, bucket); else throws what is wrong and what to do. */
  check(signal: AbortSignal): Promise<void>;
  /**
   * Refuses what its capabilities do not allow before a byte is read. Never leaves two objects for one marker: where an answer is
   * lost, it looks before it sends again. Verifies what it sent by length and SHA-256.
   */
  upload(request: UploadRequest): Promise<StoredObject>;
  /** @param range first and last byte, inclusive. Throws FileNotFoundError, and ValidationError `not_downloadable`. */
  download(id: string, options: { signal: AbortSignal; range?: { first: number; last: number } }): Promise<Download>;
  /** Null when there is no such object. */
  info(id: string, signal: AbortSignal): Promise<StoredObject | null>;
  /** The object that an upload of this identity has made, where there is one whole: the way to see whether a content is there. */
  find(identity: ObjectIdentity, signal: AbortSignal): Promise<StoredObject | null>;
  /** The id under which this content is (or would be) stored, where it follows from the content; else null. */
  idOf(sha256: string, namespace: Namespace): string | null;
  /** False when there was nothing to delete. */
  delete(id: string, signal: AbortSignal): Promise<boolean>;
  /** Only of storages: puts a copy of an object under another key of its bucket, in place of what is there. Its id; null where there is no such object. */
  copy?(object: Pick<StoredObject, 'id' | 'sizeBytes'>, key: string, signal: AbortSignal): Promise<string | null>;
  /** Page by page; never holds a whole account, and never gives an object twice, whatever the vendor's pages do. */
  list(options: ListOptions): AsyncIterable<StoredPage>;
}

/** Whether ids follow from the content, as at storages. Which content is asked about makes no difference. */
export const namesByContent = (provider: Pick<Provider, 'idOf'>): boolean => provider.idOf('0'.repeat(64), 'live') !== null;

export interface Bucket {
  name: string;
  /** Null: the vendor does not tell. */
  public: boolean | null;
  createdAt: string | null;
  /** In bytes; null: none of its own. */
  maxFileBytes: number | null;
  /** Null: all. */
  allowedMimeTypes: string[] | null;
}

export type BucketSettings = Partial<Pick<Bucket, 'public' | 'maxFileBytes' | 'allowedMimeTypes'>>;

/** Buckets of a storage. Errors as of the provider; codes `bucket_not_found`, `bucket_exists`, `bucket_not_empty`, `not_supported`. */
export interface BucketStore {
  list(signal: AbortSignal): Promise<Bucket[]>;
  /** Private where nothing else is said. */
  create(name: string, settings: BucketSettings, signal: AbortSignal): Promise<void>;
  update(name: string, settings: BucketSettings, signal: AbortSignal): Promise<void>;
  /** Deletes every object, page by page. The number of them. */
  empty(name: string, signal: AbortSignal, onProgress?: (deleted: number) => void): Promise<number>;
  /** Refuses a bucket that is not empty. */
  delete(name: string, signal: AbortSignal): Promise<void>;
}
