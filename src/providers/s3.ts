import { CopyObjectCommand, DeleteObjectCommand, GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { refusalOf, storageCapabilities } from '../domain/capabilities.ts';
import { ValidationError } from '../domain/errors.ts';
import type { Namespace } from '../domain/models.ts';
import { objectKey } from '../domain/object-key.ts';
import { collect, readBody } from './body-reader.ts';
import { creatingMissing } from './buckets.ts';
import { resumingDownload } from './download.ts';
import { nullIfMissing, type Operation, type Speaker } from './failure.ts';
import type { HttpRequest, HttpStream } from './http.ts';
import { bucketAndPrefix, objectAddress } from './object-address.ts';
import { counted, throttledProgress } from './progress.ts';
import { type ObjectIdentity, type Provider, type StoredObject, storedObjectOf, type UploadRequest } from './provider.ts';
import { type RetryPolicy, withRetries } from './retry.ts';
import { createS3Buckets } from './s3-buckets.ts';
import { createS3Client, type S3Settings } from './s3-client.ts';
import { listS3 } from './s3-list.ts';
import { createMultipart } from './s3-multipart.ts';
import { checksumOf, sha256Of, storedObject } from './s3-object.ts';
import type { VendorOptions } from './vendor.ts';
import { isWhole, sizeMismatch } from './verify-stored.ts';
import { type CallTimeouts, callLimits, copyLimits, transferLimits } from './watchdog.ts';
import { wireType } from './wire-type.ts';

export interface S3Options extends VendorOptions, S3Settings {
  bucket: string;
  /** Larger files go in parts (S3_MULTIPART_THRESHOLD_MB), of this size where 10,000 of them do (S3_PART_SIZE_MB). */
  multipartThresholdBytes: number;
  partBytes: number;
}

/** Up to here a body is read before it is sent. */
const BUFFERED_BYTES = 256 * 1024;

/**
 * Files in S3 or a compatible storage, content-addressed in one bucket. An id is `<bucket>/<key>`.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
 * @throws ValidationError for an address, key or bucket name that cannot be right
 */
export function createS3(options: S3Options): Provider {
  const { bucket, timeouts } = options;
  const speaker = speakerOf(options);
  const s3 = createS3Client(options, speaker);
  const retry: RetryPolicy = { maxRetries: options.maxRetryAttempts, budgetMs: timeouts.callMs };
  const retryTransfer = (sizeBytes: number) => ({ ...retry, budgetMs: transferLimits(timeouts, sizeBytes).totalMs });
  const limits = callLimits(timeouts);
  const small = (operation: Operation, signal: AbortSignal) => ({ operation, signal, limits });
  const buckets = createS3Buckets({ s3, retry, limits });
  const multipart = createMultipart({ s3, timeouts, partBytes: options.partBytes, retry, retryTransfer });
  const capabilities = storageCapabilities(options.maxFileBytes);
  const idOf = (sha256: string, namespace: Namespace) => `${bucket}/${objectKey(sha256, namespace)}`;

  async function info(id: string, signal: AbortSignal): Promise<StoredObject | null> {
    const { bucket: Bucket, key: Key } = objectAddress('s3', id);
    const command = new HeadObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' });
    const head = await nullIfMissing(withRetries(retry, signal, () => s3.send(command, small('info', signal))));
    return head === null ? null : storedObject(id, head);
  }
  async function find({ sha256, namespace, sizeBytes }: ObjectIdentity, signal: AbortSignal): Promise<StoredObject | null> {
    const found = await info(idOf(sha256, namespace), signal);
    return isWhole(found, { sizeBytes, sha256 }) ? found : null;
  }
  async function remove(id: string, signal: AbortSignal): Promise<boolean> {
    const { bucket: Bucket, key: Key } = objectAddress('s3', id);
    // S3 says the same of what was there and of what was not.
    if ((await info(id, signal)) === null) return false;
    await withRetries(retry, signal, () => s3.send(new DeleteObjectCommand({ Bucket, Key }), small('delete', signal)));
    return true;
  }

  /** In one request, which S3 allows for up to 5 GB: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html */
  async function copy({ id, sizeBytes }: Pick<StoredObject, 'id' | 'sizeBytes'>, to: string, signal: AbortSignal): Promise<string | null> {
    const { bucket: Bucket, path } = objectAddress('s3', id);
    const { key: Key } = objectAddress('s3', `${Bucket}/${to}`);
    const command = new CopyObjectCommand({ Bucket, Key, CopySource: path });
    const call = { operation: 'copy' as const, signal, limits: copyLimits(timeouts, sizeBytes) };
    const copied = withRetries(retryTransfer(sizeBytes), signal, () => s3.send(command, call));
    return await nullIfMissing(copied.then(() => `${Bucket}/${Key}`));
  }

  /** One request with the whole body, opened again for every attempt. @returns the SHA-256 that the server made of it, where it tells */
  async function put(key: string, request: UploadRequest, onProgress: (bytes: number) => void): Promise<string | null> {
    const { body, sha256, signal, mimeType } = request;
    const size = body.sizeBytes;
    const reader = readBody(body, sha256, signal);
    try {
      const bytes = reader.read(size);
      const answer = await s3.send(
        new PutObjectCommand({
          Bucket: bucket,
          Key: key,
          ContentLength: size,
          ContentType: wireType(mimeType),
          ChecksumSHA256: checksumOf(sha256),
        }),
        {
          operation: 'upload',
          signal,
          limits: transferLimits(timeouts, size),
          body: size <= BUFFERED_BYTES ? await collect(bytes, Buffer.allocUnsafe(size)) : counted(bytes, 0, onProgress),
          sha256,
        },
      );
      return sha256Of(answer.ChecksumSHA256);
    } finally {
      reader.close();
    }
  }

  async function send(request: UploadRequest, onProgress: (bytes: number) => void): Promise<StoredObject> {
    const { body, sha256, namespace, signal, mimeType } = request;
    const { sizeBytes } = body;
    const id = idOf(sha256, namespace);
    const key = objectKey(sha256, namespace);
    if (sizeBytes > options.multipartThresholdBytes) {
      const isThere = async () => isWhole(await info(id, signal), { sizeBytes, sha256 });
      await multipart({ bucket, key, request, onProgress, isThere });
    } else {
      const made = await withRetries(retryTransfer(sizeBytes), signal, () => put(key, request, onProgress));
      if (made === sha256) return storedObjectOf({ id, sizeBytes, mimeType, name: sha256, sha256 });
    }
    const stored = await info(id, signal);
    if (isWhole(stored, { sizeBytes, sha256 })) return stored;
    throw await sizeMismatch(stored, { sizeBytes, sha256 }, s3.failure, () => remove(id, signal));
  }

  async function open(
    id: string,
    { headers, signal, timeouts }: Omit<HttpRequest, 'limits'> & { timeouts: CallTimeouts },
  ): Promise<HttpStream> {
    const { bucket: Bucket, key: Key } = objectAddress('s3', id);
    const opened: HttpStream[] = [];
    const stream = { timeouts, take: (answer: HttpStream) => opened.push(answer) };
    try {
      await s3.send(new GetObjectCommand({ Bucket, Key, Range: headers?.range }), { ...small('download', signal), stream });
      return opened[0] as HttpStream;
    } catch (error) {
      opened[0]?.cancel();
      throw error;
    }
  }

  return {
    name: 's3',
    account: speaker.where,
    capabilities,
    buckets: buckets.store,

    check: (signal) => buckets.ensure(bucket, signal),

    async upload(request) {
      const { body, signal, name, purpose, sha256, retried } = request;
      const refusal = refusalOf('s3', capabilities, purpose, { name, sizeBytes: body.sizeBytes });
      if (refusal !== null) throw refusal;
      const left = retried ? await find({ ...request, sizeBytes: body.sizeBytes }, signal) : null;
      if (left !== null) return left;
      const onProgress = throttledProgress(request.onProgress);
      const again = { ...retryTransfer(body.sizeBytes), only: 'size_mismatch' };
      const stored = await withRetries(again, signal, () =>
        creatingMissing(
          () => buckets.ensure(bucket, signal),
          () => send(request, onProgress),
        ),
      );
      onProgress(body.sizeBytes, true);
      return { ...stored, sha256 };
    },

    download: async (id, { signal, range }) =>
      resumingDownload({
        http: { failure: s3.failure, stream: (request) => open(id, request) },
        path: id,
        signal,
        range,
        retry,
        timeouts,
        sizeOf: async () => (await info(id, signal))?.sizeBytes ?? null,
      }),

    info,
    find,
    idOf,
    delete: remove,
    copy,
    list: ({ under = `${bucket}/`, after = null, signal }) => listS3({ ...bucketAndPrefix(under), s3, after, signal, limits, retry }),
  };
}

function speakerOf({ bucket, endpoint, accessKeyId, secretAccessKey, sessionToken }: S3Options): Speaker {
  const url = endpoint === null ? null : URL.parse(endpoint);
  if (endpoint !== null && !/^https?:$/.test(url?.protocol ?? ''))
    throw new ValidationError('S3_ENDPOINT must be an http(s) URL such as https://s3.example.com', { code: 'invalid_url', provider: 's3' });
  for (const [variable, value] of Object.entries({ S3_ACCESS_KEY_ID: accessKeyId, S3_SECRET_ACCESS_KEY: secretAccessKey }))
    if (value !== null && !/^[\x21-\x7e]+$/.test(value))
      throw new ValidationError(`${variable} is empty or has a character that no key has (a space, a line break?)`, {
        code: 'invalid_key',
        provider: 's3',
      });
  if (!/^[A-Za-z0-9][\w.-]{1,253}[A-Za-z0-9]$/.test(bucket))
    throw new ValidationError(`S3_BUCKET: ${JSON.stringify(bucket)} cannot be a bucket's name; 3 to 63 of a-z, 0-9, "-" and "." can`, {
      code: 'invalid_bucket',
      provider: 's3',
    });
  const place = 'Check S3_ENDPOINT, S3_REGION and S3_FORCE_PATH_STYLE: they must be those of this bucket';
  return {
    provider: 's3',
    where: `${url?.host ?? 's3.amazonaws.com'}/${bucket}`,
    secrets: [secretAccessKey ?? '', sessionToken ?? ''],
    advice: {
      unauthorized: 'Check S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY, and what that key may do with the bucket S3_BUCKET',
      bucket_not_found: 'Check S3_BUCKET; create the bucket, or let the key create it (s3:CreateBucket)',
      not_found: place,
      unexpected_answer: place,
      rejected: place,
      not_supported: 'This storage has less than S3: check S3_ENDPOINT',
      connection_refused: 'Check S3_ENDPOINT and whether the storage runs',
      host_not_found: 'Check S3_ENDPOINT, S3_REGION and the network',
      tls: 'Check S3_ENDPOINT and the certificate of the server',
      clock_skewed: 'Set the clock of this machine: signatures hold for 15 minutes',
      file_too_large: 'Lower S3_MULTIPART_THRESHOLD_MB, so that it goes in parts, or leave the file out',
      insufficient_storage: 'Make room in the storage, or choose another place',
    },
  };
}
