import { ValidationError } from '../domain/errors.ts';
import { countOf, formatBytes } from '../domain/format.ts';
import type { FileCopy } from '../domain/models.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { withBucket } from '../providers/buckets.ts';
import type { BucketStore, Provider } from '../providers/provider.ts';

const PAGE = 1000;

/** @throws ValidationError `not_supported` where the provider has no buckets */
export function bucketsOf({ name, buckets }: Provider): BucketStore {
  if (buckets !== undefined) return buckets;
  throw new ValidationError(`${name} has no buckets; supabase and s3 have`, { code: 'not_supported', provider: name });
}

export interface BucketContents {
  files: number;
  bytes: number;
}

/** What would go with a bucket. @throws FileNotFoundError `bucket_not_found` */
export function contentsOf(provider: Provider, bucket: string, signal: AbortSignal): Promise<BucketContents> {
  return withBucket(provider.name, bucket, async () => {
    const contents = { files: 0, bytes: 0 };
    for await (const { objects } of provider.list({ under: `${bucket}/`, signal }))
      for (const { sizeBytes } of objects) {
        contents.files += 1;
        contents.bytes += sizeBytes;
      }
    return contents;
  });
}

export const describeContents = ({ files, bytes }: BucketContents): string => `${countOf(files, 'object')} (${formatBytes(bytes)})`;

/** @throws ValidationError `bucket_not_empty` saying what is in it, FileNotFoundError `bucket_not_found` */
export async function refuseNotEmpty(provider: Provider, bucket: string, signal: AbortSignal): Promise<void> {
  const contents = await contentsOf(provider, bucket, signal);
  if (contents.files === 0) return;
  const { name } = provider;
  throw new ValidationError(
    `The bucket ${bucket} at ${name} has ${describeContents(contents)}. Empty it first: npx cutover buckets empty ${bucket} --provider ${name}`,
    { code: 'bucket_not_empty', provider: name },
  );
}

/**
 * Live copies that the ledger has in a bucket, whichever account of the provider they are in: rather one too many than one too few. And
 * those that are on their way there.
 */
export async function* liveCopiesIn(
  ledger: Pick<Ledger, 'list' | 'copies'>,
  provider: Provider,
  bucket: string,
  signal: AbortSignal,
): AsyncGenerator<FileCopy> {
  const inside = (copy: Pick<FileCopy, 'provider' | 'status' | 'providerFileId'>) =>
    copy.provider === provider.name && copy.status === 'completed' && copy.providerFileId?.startsWith(`${bucket}/`) === true;
  const onItsWay = ({ provider: to, account, status, leaseExpiresAt }: FileCopy) =>
    to === provider.name &&
    account === accountOf(provider, bucket) &&
    status === 'uploading' &&
    Date.parse(leaseExpiresAt ?? '') > Date.now();
  for (let after: string | null = null, more = true; more; ) {
    signal.throwIfAborted();
    const page: Awaited<ReturnType<Ledger['list']>> = await ledger.list({ after, limit: PAGE });
    for (const { id, copies } of page)
      if (copies.some((copy) => inside(copy) || copy.status === 'uploading'))
        for (const copy of await ledger.copies(id)) if ((inside(copy) && copy.deletedAt === null) || onItsWay(copy)) yield copy;
    after = page.at(-1)?.id ?? null;
    more = page.length === PAGE;
  }
}

/** Of a storage, an account is a bucket at an address. */
const accountOf = ({ account }: Provider, bucket: string): string => `${account.slice(0, account.lastIndexOf('/'))}/${bucket}`;

/** Every copy whose id a claim could hand out, also a deleted one, which a claim takes back, with the bucket as its account. */
async function* copiesStandingOn(
  ledger: Pick<Ledger, 'copiesAt'>,
  provider: Provider,
  bucket: string,
  signal: AbortSignal,
): AsyncGenerator<FileCopy> {
  for (let after: string | null = null, more = true; more; ) {
    signal.throwIfAborted();
    const page: FileCopy[] = await ledger.copiesAt(provider.name, accountOf(provider, bucket), { after, limit: PAGE });
    yield* page;
    after = page.at(-1)?.id ?? null;
    more = page.length === PAGE;
  }
}

export interface Emptied {
  /** Objects that were deleted. */
  files: number;
  /** Copies that the ledger counted on and now knows to be gone. */
  copies: number;
}

/**
 * Empties a bucket. Copies of the ledger in it are marked as gone before the first object is deleted, so that nobody is handed a dead
 * id wherever this stops; and once more afterwards, because uploads may have come between.
 * @param force also when the ledger has live copies there
 * @throws ValidationError `bucket_in_use`, FileNotFoundError `bucket_not_found`
 */
export async function emptyBucket(
  { ledger, provider }: { ledger: Pick<Ledger, 'list' | 'copies' | 'copiesAt' | 'invalidate'>; provider: Provider },
  bucket: string,
  { force, signal, onProgress }: { force: boolean; signal: AbortSignal; onProgress?: (deleted: number) => void },
): Promise<Emptied> {
  if (!force) await refuseInUse({ ledger, provider }, bucket, signal);
  let copies = 0;
  const gone = async (copy: FileCopy): Promise<void> => {
    await ledger.invalidate(copy.id, 'bucket_emptied');
    if (copy.deletedAt === null) copies += 1;
  };
  for await (const copy of copiesStandingOn(ledger, provider, bucket, signal)) await gone(copy);
  const files = await bucketsOf(provider).empty(bucket, signal, onProgress);
  for await (const copy of copiesStandingOn(ledger, provider, bucket, signal))
    if ((await provider.info(copy.providerFileId ?? '', signal)) === null) await gone(copy);
  return { files, copies };
}

/** @throws ValidationError `bucket_in_use` saying how many files would be lost */
export async function refuseInUse(
  { ledger, provider }: { ledger: Pick<Ledger, 'list' | 'copies'>; provider: Provider },
  bucket: string,
  signal: AbortSignal,
): Promise<void> {
  let files = 0;
  let last: string | undefined;
  for await (const { fileId } of liveCopiesIn(ledger, provider, bucket, signal)) {
    if (fileId !== last) files += 1;
    last = fileId;
  }
  if (files > 0)
    throw new ValidationError(
      `The ledger counts on ${countOf(files, 'file')} in the bucket ${bucket} at ${provider.name}: emptying it loses them. --force empties it all the same`,
      { code: 'bucket_in_use', provider: provider.name },
    );
}
