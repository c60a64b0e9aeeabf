import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  ListBucketsCommand,
  type ListBucketsCommandOutput,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
} from '@aws-sdk/client-s3';
import { hasCode, ValidationError } from '../domain/errors.ts';
import { withBucket } from './buckets.ts';
import { classifyAnswer } from './classify.ts';
import type { Operation } from './failure.ts';
import type { Bucket, BucketSettings, BucketStore } from './provider.ts';
import { type RetryPolicy, withRetries } from './retry.ts';
import type { S3 } from './s3-client.ts';
import { expectListing } from './s3-list.ts';
import { removeUpload, uploadsIn } from './s3-uploads.ts';
import type { Limits } from './watchdog.ts';

export interface S3Buckets {
  store: BucketStore;
  /** Resolves when the bucket can be used; creates it, private, where it is missing and the key may. */
  ensure(bucket: string, signal: AbortSignal): Promise<void>;
}

export interface S3BucketsOptions {
  s3: S3;
  retry: RetryPolicy;
  limits: Limits;
}

/** One version of an object, or a mark that it was deleted. */
interface Version {
  Key: string;
  VersionId: string | undefined;
  isObject: boolean;
}

export function createS3Buckets({ s3, retry, limits }: S3BucketsOptions): S3Buckets {
  const call = (operation: Operation, signal: AbortSignal) => ({ operation, signal, limits });

  /** Asked by a listing, whose answer only a storage gives, and whose errors say more than those of HEAD. */
  async function look(name: string, signal: AbortSignal): Promise<void> {
    const command = new ListObjectsV2Command({ Bucket: name, MaxKeys: 1 });
    expectListing(s3, await withRetries(retry, signal, () => s3.send(command, call('check', signal))));
  }
  async function ensure(name: string, signal: AbortSignal): Promise<void> {
    try {
      return await look(name, signal);
    } catch (error) {
      if (!hasCode(error, 'bucket_not_found', 'not_found')) throw error;
    }
    try {
      await withRetries(retry, signal, () => s3.send(new CreateBucketCommand({ Bucket: name }), call('check', signal)));
    } catch (error) {
      if (hasCode(error, 'unauthorized'))
        throw s3.failure('check', { kind: 'refused', code: 'bucket_not_found', retryable: false, detail: `there is no bucket ${name}` });
      // Another worker was faster.
      if (!hasCode(error, 'bucket_exists', 'conflict')) throw error;
      await look(name, signal);
    }
  }

  async function* versionsIn(name: string, signal: AbortSignal): AsyncGenerator<Version[]> {
    for (let place: { KeyMarker?: string; VersionIdMarker?: string } | null = {}; place !== null; ) {
      const command: ListObjectVersionsCommand = new ListObjectVersionsCommand({ Bucket: name, ...place });
      const page: ListObjectVersionsCommandOutput = await withRetries(retry, signal, () => s3.send(command, call('list', signal)));
      const versions = (page.Versions ?? []).map(({ Key = '', VersionId }) => ({ Key, VersionId, isObject: true }));
      const marks = (page.DeleteMarkers ?? []).map(({ Key = '', VersionId }) => ({ Key, VersionId, isObject: false }));
      yield [...versions, ...marks];
      const { IsTruncated, NextKeyMarker, NextVersionIdMarker } = page;
      if (IsTruncated !== true || NextKeyMarker === undefined) return;
      place = { KeyMarker: NextKeyMarker, ...(NextVersionIdMarker === undefined ? {} : { VersionIdMarker: NextVersionIdMarker }) };
    }
  }
  async function* currentIn(name: string, signal: AbortSignal): AsyncGenerator<Version[]> {
    // From the start each time: what the page before had is deleted.
    for (;;) {
      const page = await withRetries(retry, signal, () => s3.send(new ListObjectsV2Command({ Bucket: name }), call('list', signal)));
      yield (expectListing(s3, page).Contents ?? []).map(({ Key = '' }) => ({ Key, VersionId: undefined, isObject: true }));
      if (page.IsTruncated !== true) return;
    }
  }

  /** At most 1,000, as a page has. */
  async function deleteAll(name: string, versions: readonly Version[], signal: AbortSignal): Promise<void> {
    if (versions.length === 0) return;
    const Objects = versions.map(({ Key, VersionId }) => ({ Key, ...(VersionId === undefined ? {} : { VersionId }) }));
    const command = new DeleteObjectsCommand({ Bucket: name, Delete: { Objects, Quiet: true } });
    await withRetries(retry, signal, async () => {
      const { Errors: [first] = [] } = await s3.send(command, call('delete', signal));
      if (first === undefined) return;
      const { Code: word = '', Message: said = '', Key } = first;
      throw s3.failure(
        'delete',
        classifyAnswer({ status: word === 'AccessDenied' ? 403 : 500, word, message: `${Key}: ${said}`, retryAfterMs: undefined }),
      );
    });
  }

  const store: BucketStore = {
    async list(signal) {
      const buckets: Bucket[] = [];
      for (let token: string | undefined, more = true; more; ) {
        const command: ListBucketsCommand = new ListBucketsCommand({ ContinuationToken: token });
        const page: ListBucketsCommandOutput = await withRetries(retry, signal, () => s3.send(command, call('list', signal)));
        for (const { Name = '', CreationDate } of page.Buckets ?? [])
          buckets.push({
            name: Name,
            public: null,
            createdAt: CreationDate?.toISOString() ?? null,
            maxFileBytes: null,
            allowedMimeTypes: null,
          });
        more = page.ContinuationToken !== undefined && page.ContinuationToken !== token;
        token = page.ContinuationToken;
      }
      return buckets;
    },

    async create(name, settings, signal) {
      refuseSettings(settings);
      await withRetries(retry, signal, () => s3.send(new CreateBucketCommand({ Bucket: name }), call('check', signal)));
    },

    async update(name, settings, signal) {
      await withBucket('s3', name, () => look(name, signal));
      refuseSettings({ ...settings, public: settings.public === undefined ? undefined : true });
    },

    empty: (name, signal, onProgress) =>
      withBucket('s3', name, async () => {
        let deleted = 0;
        const pass = async (pages: AsyncIterable<Version[]>) => {
          for await (const page of pages) {
            await deleteAll(name, page, signal);
            deleted += page.filter(({ isObject }) => isObject).length;
            onProgress?.(deleted);
          }
        };
        try {
          await pass(versionsIn(name, signal));
        } catch (error) {
          if (!hasCode(error, 'not_supported', 'unauthorized')) throw error;
          await pass(currentIn(name, signal));
        }
        try {
          for await (const upload of uploadsIn({ s3, bucket: name, prefix: '', signal, limits, retry }))
            await withRetries(retry, signal, () => removeUpload(s3, name, upload, call('delete', signal)));
        } catch (error) {
          if (!hasCode(error, 'not_supported')) throw error;
        }
        return deleted;
      }),

    delete: (name, signal) =>
      withBucket('s3', name, () =>
        withRetries(retry, signal, async () => {
          await s3.send(new DeleteBucketCommand({ Bucket: name }), call('delete', signal));
        }),
      ),
  };
  return { store, ensure };
}

/** S3 has no such settings of a bucket: they are said to be missing rather than dropped. */
function refuseSettings({
  public: isPublic,
  maxFileBytes,
  allowedMimeTypes,
}: { [K in keyof BucketSettings]: BucketSettings[K] | undefined }): void {
  const refuse = (message: string) => {
    throw new ValidationError(message, { code: 'not_supported', provider: 's3' });
  };
  if (isPublic === true) refuse('S3 decides by policies who may read a bucket: set one there. Cutover makes private buckets');
  if ((maxFileBytes ?? null) !== null) refuse('S3 has no largest file for a bucket: set S3_MAX_FILE_SIZE_MB, which Cutover keeps to');
  if ((allowedMimeTypes ?? null) !== null) refuse('S3 has no list of types for a bucket: set ALLOWED_EXTENSIONS, which Cutover keeps to');
}
