import type { FileManagementError } from '../domain/errors.ts';
import type { Http } from './http.ts';
import type { StoredObject } from './provider.ts';

interface Content {
  sizeBytes: number;
  sha256: string;
}

/** Whether an object is this content, as far as its provider tells. */
export const isWhole = (stored: StoredObject | null, { sizeBytes, sha256 }: Content): stored is StoredObject =>
  stored?.sizeBytes === sizeBytes && (stored.sha256 ?? sha256) === sha256;

/** Deletes what was stored in another length than it was sent, or with another hash. The error `size_mismatch` to throw then, after which sending again can help. */
export async function sizeMismatch(
  stored: StoredObject | null,
  { sizeBytes, sha256 }: Content,
  failure: Http['failure'],
  remove: () => Promise<unknown>,
): Promise<FileManagementError> {
  if (stored !== null) await remove();
  const detail =
    stored?.sizeBytes === sizeBytes
      ? `what was stored has the SHA-256 ${stored.sha256} instead of ${sha256}`
      : `${stored?.sizeBytes ?? 'none'} of ${sizeBytes} bytes were stored`;
  return failure('upload', { kind: 'broken', code: 'size_mismatch', retryable: true, detail });
}
