import { FileManagementError, hasCode, ValidationError } from '../domain/errors.ts';
import { withBucket } from './buckets.ts';
import type { Operation } from './failure.ts';
import type { Http, HttpRequest } from './http.ts';
import type { Bucket, BucketSettings, BucketStore, StoredPage } from './provider.ts';
import { type RetryPolicy, withRetries } from './retry.ts';
import type { Limits } from './watchdog.ts';

export interface SupabaseBuckets {
  store: BucketStore;
  /** Creates the bucket, private, where it is missing. Several at once are fine. */
  ensure(bucket: string, signal: AbortSignal): Promise<void>;
}

export interface SupabaseBucketsOptions {
  http: Http;
  limits: Limits;
  retry: RetryPolicy;
  /** The objects of a bucket. */
  list(bucket: string, signal: AbortSignal): AsyncIterable<StoredPage>;
}

/** As `GET /bucket` has it. */
interface Row {
  id: string;
  public?: boolean;
  created_at?: string | null;
  file_size_limit?: number | null;
  allowed_mime_types?: string[] | null;
}

/** https://supabase.com/docs/reference/javascript/storage-createbucket */
export function createBuckets({ http, limits, retry, list }: SupabaseBucketsOptions): SupabaseBuckets {
  const path = (bucket: string) => `/bucket/${encodeURIComponent(bucket)}`;
  const request = (operation: Operation, method: HttpRequest['method'], at: string, signal: AbortSignal, body?: unknown): HttpRequest => ({
    operation,
    method,
    path: at,
    signal,
    limits,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const notStorage = () =>
    http.failure('check', {
      kind: 'refused',
      code: 'unexpected_answer',
      retryable: false,
      detail: 'what answers there is no Supabase Storage',
    });

  async function exists(bucket: string, signal: AbortSignal): Promise<boolean> {
    try {
      const found = await http.json<Partial<Row>>(request('check', 'GET', path(bucket), signal));
      if (found.id === bucket) return true;
    } catch (error) {
      if (hasCode(error, 'bucket_not_found', 'not_found')) return false;
      throw error;
    }
    throw notStorage();
  }
  const make = (bucket: string, settings: BucketSettings, signal: AbortSignal) =>
    http.call(request('check', 'POST', '/bucket', signal, { id: bucket, name: bucket, public: false, ...wire(settings) }));

  async function ensure(bucket: string, signal: AbortSignal): Promise<void> {
    await withRetries(retry, signal, async () => {
      if (await exists(bucket, signal)) return;
      try {
        await make(bucket, {}, signal);
      } catch (error) {
        // Somebody else created it in the meantime; Supabase says "Duplicate", or a unique violation at the same moment.
        if (!(error instanceof FileManagementError && error.code !== 'unauthorized') || !(await exists(bucket, signal))) throw error;
      }
    });
  }

  /** One walk over the bucket. What is deleted moves what follows forward, so that a walk passes over some. */
  async function emptyOnce(
    bucket: string,
    signal: AbortSignal,
    onDeleted: (objects: number) => void,
  ): Promise<{ seen: number; deleted: number }> {
    let seen = 0;
    let deleted = 0;
    for await (const { objects } of list(bucket, signal)) {
      seen += objects.length;
      const prefixes = objects.map(({ id }) => id.slice(bucket.length + 1));
      const removed = await withRetries(retry, signal, () =>
        http.json<unknown[]>(request('delete', 'DELETE', `/object/${encodeURIComponent(bucket)}`, signal, { prefixes })),
      );
      deleted += removed.length;
      onDeleted(deleted);
    }
    return { seen, deleted };
  }

  const store: BucketStore = {
    async list(signal) {
      const rows = await withRetries(retry, signal, () => http.json<Row[]>(request('list', 'GET', '/bucket', signal)));
      if (!Array.isArray(rows)) throw notStorage();
      return rows.map(bucketOf);
    },

    async create(name, settings, signal) {
      try {
        await withRetries(retry, signal, () => make(name, settings, signal));
      } catch (error) {
        if (hasCode(error, 'unauthorized', 'rejected') || !(await exists(name, signal).catch(() => false))) throw error;
        throw new ValidationError(`There is a bucket ${JSON.stringify(name)} at supabase already`, {
          code: 'bucket_exists',
          provider: 'supabase',
          cause: error,
        });
      }
    },

    update: (name, settings, signal) =>
      withBucket('supabase', name, async () => {
        await withRetries(retry, signal, () => http.call(request('check', 'PUT', path(name), signal, wire(settings))));
      }),

    // Not by its own `/empty`, which only queues the work on the hosted service and tells no number.
    empty: (name, signal, onProgress) =>
      withBucket('supabase', name, async () => {
        // The hosted service lists a bucket that does not exist as an empty one.
        await withRetries(retry, signal, () => http.call(request('check', 'GET', path(name), signal)));
        for (let deleted = 0; ; ) {
          const pass = await emptyOnce(name, signal, (objects) => onProgress?.(deleted + objects));
          deleted += pass.deleted;
          if (pass.seen === 0) return deleted;
          if (pass.deleted === 0) {
            const detail = `${pass.seen} objects of the bucket ${name} stay where they are`;
            throw http.failure('delete', { kind: 'refused', code: 'not_deleted', retryable: false, detail });
          }
        }
      }),

    delete: (name, signal) =>
      withBucket('supabase', name, async () => {
        await withRetries(retry, signal, () => http.call(request('delete', 'DELETE', path(name), signal)));
      }),
  };
  return { store, ensure };
}

const bucketOf = ({ id, public: isPublic, created_at, file_size_limit, allowed_mime_types }: Row): Bucket => ({
  name: id,
  public: isPublic ?? false,
  createdAt: created_at ?? null,
  maxFileBytes: file_size_limit ?? null,
  allowedMimeTypes: allowed_mime_types ?? null,
});

/** What is left out stays as it is; null takes a limit away. */
const wire = ({ public: isPublic, maxFileBytes, allowedMimeTypes }: BucketSettings) => ({
  ...(isPublic === undefined ? {} : { public: isPublic }),
  ...(maxFileBytes === undefined ? {} : { file_size_limit: maxFileBytes }),
  ...(allowedMimeTypes === undefined ? {} : { allowed_mime_types: allowedMimeTypes }),
});
