import { ListObjectsV2Command, type ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import { ValidationError } from '../domain/errors.ts';
import { type StoredObject, type StoredPage, storedObjectOf } from './provider.ts';
import { type RetryPolicy, withRetries } from './retry.ts';
import type { S3 } from './s3-client.ts';
import type { Limits } from './watchdog.ts';

export interface S3Listing {
  s3: S3;
  bucket: string;
  prefix: string;
  /** A page's `next`: the id that came last. */
  after: string | null;
  signal: AbortSignal;
  limits: Limits;
  retry: RetryPolicy;
}

/** Objects below a prefix, in the server's order. Entries that stand for folders (`photos/`, empty) are left out: they are no files. */
export async function* listS3(listing: S3Listing): AsyncGenerator<StoredPage> {
  const { bucket, after } = listing;
  if (after !== null && !after.startsWith(`${bucket}/`))
    throw new ValidationError('The place to go on from is none of this listing', { code: 'invalid_cursor', provider: 's3' });
  let before = new Set<string>();
  for (let place: Place | null = { startAfter: after?.slice(bucket.length + 1) }; place !== null; ) {
    const page = await pageOf(listing, place);
    const keys = (page.Contents ?? []).map(({ Key = '' }) => (page.EncodingType === 'url' ? decoded(Key) : Key));
    const objects = (page.Contents ?? []).flatMap(({ Size = 0, LastModified }, index): StoredObject[] => {
      const key = keys[index] ?? '';
      if (before.has(key) || (key.endsWith('/') && Size === 0)) return [];
      const createdAt = LastModified?.toISOString() ?? null;
      return [storedObjectOf({ id: `${bucket}/${key}`, sizeBytes: Size, createdAt, name: key.split('/').at(-1) ?? null })];
    });
    const last = keys.at(-1);
    if (objects.length > 0) yield { objects, next: page.IsTruncated === true ? `${bucket}/${last}` : null };
    if (page.IsTruncated !== true) return;
    // Behind many deleted versions a page can be empty, and more follow.
    const token = page.NextContinuationToken;
    const goesOn = last === undefined ? token !== undefined && token !== place.token : keys.some((key) => !before.has(key));
    if (!goesOn)
      throw listing.s3.failure('list', {
        kind: 'refused',
        code: 'unexpected_answer',
        retryable: false,
        detail: 'the server gives the same page of its list again and again',
      });
    before = new Set(keys);
    place = token === undefined ? { startAfter: last } : { token };
  }
}

interface Place {
  startAfter?: string | undefined;
  token?: string;
}

async function pageOf({ s3, bucket, prefix, signal, limits, retry }: S3Listing, place: Place): Promise<ListObjectsV2CommandOutput> {
  const input = {
    Bucket: bucket,
    Prefix: prefix,
    StartAfter: place.startAfter,
    ContinuationToken: place.token,
    EncodingType: 'url' as const,
  };
  const page = await withRetries(retry, signal, () => s3.send(new ListObjectsV2Command(input), { operation: 'list', signal, limits }));
  return expectListing(s3, page);
}

/** A web page that is no listing reads as an empty one. */
export function expectListing<T extends { Name?: string | undefined }>(s3: S3, page: T): T {
  if (page.Name !== undefined) return page;
  const detail = 'what answers there is no S3 storage';
  throw s3.failure('list', { kind: 'refused', code: 'unexpected_answer', retryable: false, detail });
}

/** As S3 encodes keys in lists: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html */
const decoded = (key: string) => decodeURIComponent(key.replaceAll('+', ' '));
