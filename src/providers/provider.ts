import type { Namespace } from '../domain/models.ts';

/** The bytes to send: can be opened again for a retry, and knows its length before the first byte. */
export interface UploadBody {
  readonly sizeBytes: number;
  /** Chunks from `offset` on; the memory of one is used again after the next two were taken: copy what you keep. Throws a FileManagementError when the source is gone or has changed. */
  open(offset: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

export interface UploadRequest {
  body: UploadBody;
  sha256: string;
  mimeType: string;
  purpose: string;
  namespace: Namespace;
  signal: AbortSignal;
  /** Called with the bytes that the provider has taken so far; throttled by the caller. */
  onProgress?: (sentBytes: number) => void;
  /** What an earlier attempt left by `onCheckpoint`, to go on from there. Opaque to everybody else. */
  checkpoint?: unknown;
  onCheckpoint?: (checkpoint: unknown) => void;
}

/** An object as the provider tells of it. `id` is what the ledger keeps as `provider_file_id`. */
export interface StoredObject {
  id: string;
  sizeBytes: number;
  mimeType: string | null;
  createdAt: string | null;
}

export interface Download {
  sizeBytes: number;
  mimeType: string | null;
  /** Throws a retryable DownloadError when the connection breaks or fewer bytes come than were announced. */
  chunks: AsyncIterable<Uint8Array>;
}

export interface Capabilities {
  /** Largest file in bytes. */
  maxFileBytes: number;
  /** Whether the original bytes can be read back. */
  downloads: boolean;
  /** Whether part of an object can be read. */
  ranges: boolean;
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
  /** Resolves when the provider can take files now (address, credentials, bucket); else throws what is wrong and what to do. */
  check(signal: AbortSignal): Promise<void>;
  /** Idempotent: the same content again, at once or later, is the same object. Verifies what it sent by length and SHA-256. */
  upload(request: UploadRequest): Promise<StoredObject>;
  /** @param range first and last byte, inclusive. Throws FileNotFoundError. */
  download(id: string, options: { signal: AbortSignal; range?: { first: number; last: number } }): Promise<Download>;
  /** Null when there is no such object. */
  info(id: string, signal: AbortSignal): Promise<StoredObject | null>;
  /** The id under which this content is (or would be) stored, where it follows from the content; else null. */
  idOf(sha256: string, namespace: Namespace): string | null;
  /** False when there was nothing to delete. */
  delete(id: string, signal: AbortSignal): Promise<boolean>;
  /** Page by page; never holds a whole account. */
  list(options: { prefix?: string; signal: AbortSignal }): AsyncIterable<StoredObject[]>;
}
