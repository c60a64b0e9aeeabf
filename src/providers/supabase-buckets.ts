import { FileManagementError } from '../domain/errors.ts';
import type { Http } from './http.ts';
import { type RetryPolicy, withRetries } from './retry.ts';
import type { Limits } from './watchdog.ts';

export interface Buckets {
  /** Creates the bucket, private, where it is missing. Several at once are fine. */
  ensure(bucket: string, signal: AbortSignal): Promise<void>;
  /** Does `work`, and once more when its bucket turned out to be missing and was created. */
  creatingMissing<T>(bucket: string, signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}

export function createBuckets(http: Http, limits: Limits, retry: RetryPolicy): Buckets {
  async function exists(bucket: string, signal: AbortSignal): Promise<boolean> {
    try {
      const found = await http.json<{ id?: string }>({
        operation: 'check',
        method: 'GET',
        path: `/bucket/${encodeURIComponent(bucket)}`,
        signal,
        limits,
      });
      if (found.id === bucket) return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
    throw http.failure('check', {
      kind: 'refused',
      code: 'unexpected_answer',
      retryable: false,
      detail: 'what answers there is no Supabase Storage',
    });
  }
  async function create(bucket: string, signal: AbortSignal): Promise<void> {
    try {
      await http.call({
        operation: 'check',
        method: 'POST',
        path: '/bucket',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ id: bucket, name: bucket, public: false }),
        signal,
        limits,
      });
    } catch (error) {
      // Somebody else created it in the meantime; Supabase says "Duplicate", or a unique violation at the same moment.
      if (!(error instanceof FileManagementError && error.code !== 'unauthorized') || !(await exists(bucket, signal))) throw error;
    }
  }
  async function ensure(bucket: string, signal: AbortSignal): Promise<void> {
    await withRetries(retry, signal, async () => {
      if (!(await exists(bucket, signal))) await create(bucket, signal);
    });
  }
  return {
    ensure,
    async creatingMissing(bucket, signal, work) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof FileManagementError && error.code === 'bucket_not_found')) throw error;
        await ensure(bucket, signal);
        return await work();
      }
    },
  };
}

const isMissing = (error: unknown) =>
  error instanceof FileManagementError && (error.code === 'bucket_not_found' || error.code === 'not_found');
