import { refusalOf, storageCapabilities } from '../domain/capabilities.ts';
import { ValidationError } from '../domain/errors.ts';
import { objectKey } from '../domain/object-key.ts';
import { collect, readBody } from './body-reader.ts';
import { creatingMissing } from './buckets.ts';
import { resumingDownload } from './download.ts';
import { nullIfMissing } from './failure.ts';
import { createHttp } from './http.ts';
import { bucketAndPrefix, objectAddress } from './object-address.ts';
import { counted, throttledProgress } from './progress.ts';
import { type ObjectIdentity, type Provider, type StoredObject, storedObjectOf, type UploadRequest } from './provider.ts';
import { type RetryPolicy, withRetries } from './retry.ts';
import { createBuckets } from './supabase-buckets.ts';
import { listObjects } from './supabase-list.ts';
import { type ObjectInfo, storedObject } from './supabase-object.ts';
import { createTus } from './tus.ts';
import { isWhole, sizeMismatch } from './verify-stored.ts';
import { type CallTimeouts, callLimits, copyLimits, transferLimits } from './watchdog.ts';
import { wireType } from './wire-type.ts';

export interface SupabaseStorageOptions {
  /** The project's URL (SUPABASE_URL). */
  url: string;
  /** The secret or service_role key (SUPABASE_SECRET_KEY). */
  secretKey: string;
  bucket: string;
  maxFileBytes: number;
  timeouts: CallTimeouts;
  /** Attempts after the first (MAX_RETRY_ATTEMPTS). */
  maxRetryAttempts: number;
  /** Files above this size go by TUS, where the server has it (SUPABASE_TUS_THRESHOLD_MB); up to it by one request. */
  tusThresholdBytes?: number;
  /** Where the project is known by another name than its host, as the embedded stack, whose port may change. */
  account?: string;
}

/** Up to here a body is read before it is sent: hashed before the first byte, and repeated without reading again. */
const BUFFERED_BYTES = 256 * 1024;
const MIB = 1024 * 1024;

/**
 * Files in Supabase Storage, content-addressed in one bucket. An id is `<bucket>/<key>`.
 * Wire format: https://supabase.com/docs/reference/self-hosting-storage/introduction
 * @throws ValidationError for an address, key or bucket name that cannot be right.
 */
export function createSupabaseStorage(options: SupabaseStorageOptions): Provider {
  const { bucket, secretKey, timeouts, maxFileBytes, tusThresholdBytes = 6 * MIB } = options;
  const url = projectUrl(options);
  const speaker = {
    provider: 'supabase',
    where: `${url.host}/${bucket}`,
    secrets: [secretKey],
    advice: {
      unauthorized: 'Set SUPABASE_SECRET_KEY to the secret (service_role) key of this very project',
      bucket_not_found: 'Check SUPABASE_BUCKET, and SUPABASE_SECRET_KEY: without its rights a private bucket looks like none',
      not_found: 'Check SUPABASE_URL: it must be the URL of a Supabase project',
      unexpected_answer: 'Check SUPABASE_URL: it must be the URL of a Supabase project, without a redirect',
      not_supported: 'Check SUPABASE_URL: it must be the URL of a Supabase project',
      connection_refused: 'Check SUPABASE_URL and whether Supabase runs',
      host_not_found: 'Check SUPABASE_URL and the network',
      tls: 'Check SUPABASE_URL and the certificate of the server',
      file_too_large: 'Raise the file size limit of the bucket or project, or leave the file out',
      unsupported_media_type: 'Allow this type for the bucket (allowed_mime_types)',
      insufficient_storage: 'Make room in the storage, or choose another place',
    },
  };
  const http = createHttp({
    base: new URL(`${url.pathname.replace(/\/+$/, '')}/storage/v1`, url),
    // New keys (sb_secret_…) are read from `apikey`, old ones (JWT) from `authorization`; both take both when equal.
    headers: { apikey: secretKey, authorization: `Bearer ${secretKey}` },
    speaker,
  });
  const retry: RetryPolicy = { maxRetries: options.maxRetryAttempts, budgetMs: timeouts.callMs };
  const retryTransfer = (sizeBytes: number) => ({ ...retry, budgetMs: transferLimits(timeouts, sizeBytes).totalMs });
  const limits = callLimits(timeouts);
  const list: Provider['list'] = ({ under = `${bucket}/`, after = null, signal }) =>
    listObjects({ ...bucketAndPrefix(under), after, signal, http, limits, retry });
  const buckets = createBuckets({ http, limits, retry, list: (name, signal) => list({ under: `${name}/`, signal }) });
  const tus = createTus(http, '/upload/resumable', timeouts);

  async function info(id: string, signal: AbortSignal): Promise<StoredObject | null> {
    const { path } = objectAddress('supabase', id);
    const found = withRetries(retry, signal, () =>
      http.json<ObjectInfo>({ operation: 'info', method: 'GET', path: `/object/info/${path}`, signal, limits }),
    );
    return await nullIfMissing(found.then((object) => storedObject(id, object)));
  }

  async function remove(id: string, signal: AbortSignal): Promise<boolean> {
    const address = objectAddress('supabase', id);
    const removed = await withRetries(retry, signal, () =>
      http.json<unknown[]>({
        operation: 'delete',
        method: 'DELETE',
        path: `/object/${encodeURIComponent(address.bucket)}`,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ prefixes: [address.key] }),
        signal,
        limits,
      }),
    );
    return removed.length > 0;
  }

  async function copy({ id, sizeBytes }: Pick<StoredObject, 'id' | 'sizeBytes'>, key: string, signal: AbortSignal): Promise<string | null> {
    const from = objectAddress('supabase', id);
    const to = `${from.bucket}/${objectAddress('supabase', `${from.bucket}/${key}`).key}`;
    const copied = withRetries(retryTransfer(sizeBytes), signal, () =>
      http.json({
        operation: 'copy',
        method: 'POST',
        path: '/object/copy',
        headers: { 'content-type': 'application/json', 'x-upsert': 'true' },
        body: JSON.stringify({ bucketId: from.bucket, sourceKey: from.key, destinationKey: key }),
        signal,
        limits: copyLimits(timeouts, sizeBytes),
      }),
    );
    return await nullIfMissing(copied.then(() => to));
  }

  /** One request with the whole body, opened again for every attempt. */
  async function put(id: string, request: UploadRequest, onProgress: (bytes: number) => void): Promise<void> {
    const { body, sha256, signal } = request;
    const size = body.sizeBytes;
    const reader = readBody(body, sha256, signal);
    try {
      await http.call({
        operation: 'upload',
        method: 'POST',
        path: `/object/${objectAddress('supabase', id).path}`,
        headers: { 'content-length': String(size), 'content-type': wireType(request.mimeType), 'x-upsert': 'true' },
        body:
          size <= BUFFERED_BYTES ? await collect(reader.read(size), Buffer.allocUnsafe(size)) : counted(reader.read(size), 0, onProgress),
        signal,
        limits: transferLimits(timeouts, size),
      });
    } finally {
      reader.close();
    }
  }

  async function send(id: string, request: UploadRequest, onProgress: (bytes: number) => void): Promise<void> {
    const { body, sha256, signal, onCheckpoint } = request;
    const transfer = retryTransfer(body.sizeBytes);
    if (body.sizeBytes <= Math.max(BUFFERED_BYTES, tusThresholdBytes) || !(await withRetries(retry, signal, () => tus.supported(signal))))
      return withRetries(transfer, signal, () => put(id, request, onProgress));
    return tus.upload({
      body,
      sha256,
      metadata: {
        bucketName: bucket,
        objectName: id.slice(bucket.length + 1),
        contentType: wireType(request.mimeType),
        cacheControl: '3600',
      },
      headers: { 'x-upsert': 'true' },
      signal,
      retry: transfer,
      checkpoint: request.checkpoint,
      onCheckpoint,
      onProgress,
    });
  }

  /** Answers to uploads do not tell a size. A body sent as one buffer under its exact length needs no second look. */
  async function verified(id: string, request: UploadRequest): Promise<StoredObject> {
    const { body, mimeType, signal } = request;
    if (body.sizeBytes <= BUFFERED_BYTES) return storedObjectOf({ id, sizeBytes: body.sizeBytes, mimeType });
    const stored = await info(id, signal);
    const content = { sizeBytes: body.sizeBytes, sha256: request.sha256 };
    if (isWhole(stored, content)) return stored;
    throw await sizeMismatch(stored, content, http.failure, () => remove(id, signal));
  }

  const capabilities = storageCapabilities(maxFileBytes);
  async function find({ sha256, namespace, sizeBytes }: ObjectIdentity, signal: AbortSignal): Promise<StoredObject | null> {
    const found = await info(`${bucket}/${objectKey(sha256, namespace)}`, signal);
    return isWhole(found, { sizeBytes, sha256 }) ? found : null;
  }

  return {
    name: 'supabase',
    account: options.account ?? `${url.host}/${bucket}`,
    capabilities,
    buckets: buckets.store,

    check: (signal) => buckets.ensure(bucket, signal),

    async upload(request) {
      const { body, signal, name, purpose, sha256, namespace, marker, retried } = request;
      const refusal = refusalOf('supabase', capabilities, purpose, { name, sizeBytes: body.sizeBytes });
      if (refusal !== null) throw refusal;
      const ensureBucket = () => buckets.ensure(bucket, signal);
      // The first attempt of all may have ended before there was a bucket.
      const identity = { marker, sha256, namespace, purpose, sizeBytes: body.sizeBytes };
      const left = retried ? await creatingMissing(ensureBucket, () => find(identity, signal)) : null;
      if (left !== null) return left;
      const id = `${bucket}/${objectKey(request.sha256, request.namespace)}`;
      const onProgress = throttledProgress(request.onProgress);
      const again = { ...retryTransfer(body.sizeBytes), only: 'size_mismatch' };
      const stored = await withRetries(again, signal, async () => {
        await creatingMissing(ensureBucket, () => send(id, request, onProgress));
        return verified(id, request);
      });
      onProgress(body.sizeBytes, true);
      return stored;
    },

    download: async (id, { signal, range }) =>
      resumingDownload({
        path: `/object/${objectAddress('supabase', id).path}`,
        http,
        signal,
        range,
        retry,
        timeouts,
        sizeOf: async () => (await info(id, signal))?.sizeBytes ?? null,
      }),

    info,
    find,
    idOf: (sha256, namespace) => `${bucket}/${objectKey(sha256, namespace)}`,
    delete: remove,
    copy,
    list,
  };
}

function projectUrl({ url, secretKey, bucket }: SupabaseStorageOptions): URL {
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol))
    throw new ValidationError('SUPABASE_URL must be an http(s) URL such as https://<project>.supabase.co', { code: 'invalid_url' });
  if (!/^[\x21-\x7e]+$/.test(secretKey))
    throw new ValidationError('SUPABASE_SECRET_KEY is empty or has a character that no key has (a space, a line break?)', {
      code: 'invalid_key',
    });
  if (!/^[\w!\-.*'() &$@=;:+,?]{1,100}$/.test(bucket) || /^\.+$/.test(bucket))
    throw new ValidationError(
      `SUPABASE_BUCKET: ${JSON.stringify(bucket)} cannot be a bucket's name; letters, digits, "-", "_" and "." can`,
      {
        code: 'invalid_bucket',
      },
    );
  return parsed;
}
