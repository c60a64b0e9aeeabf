import { AsyncLocalStorage } from 'node:async_hooks';

/** The part of a storage request that Lite 0.10.0 does not hand to its storage adapter, and what the adapter found out. */
export interface StorageRequest {
  range: string | null;
  ifNoneMatch: string | null;
  /** Only the headers are wanted. */
  headOnly: boolean;
  /** Bytes that the client said it would send; null when it sends chunks. */
  contentLength: number | null;
  /** Largest upload in bytes. */
  limit: number;
  outcome: Outcome | null;
}

export type Outcome =
  | { kind: 'not_modified' }
  | { kind: 'partial' }
  | { kind: 'range_not_satisfiable'; sizeBytes: number }
  | { kind: 'too_large' }
  | { kind: 'incomplete'; message: string }
  | { kind: 'missing' }
  | { kind: 'disk_full'; message: string };

export const storageRequest = new AsyncLocalStorage<StorageRequest>();

/** Remembers what was found for the answer to the request that is being served. */
export function note(outcome: Outcome): void {
  const request = storageRequest.getStore();
  if (request !== undefined) request.outcome = outcome;
}
