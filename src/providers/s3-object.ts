import type { HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import { type StoredObject, storedObjectOf } from './provider.ts';

/** As S3's headers have it. @param sha256 lower-case hex */
export const checksumOf = (sha256: string): string => Buffer.from(sha256, 'hex').toString('base64');

/** Null where there is none, or one of the parts' checksums (`…-3`) instead of the bytes. */
export function sha256Of(checksum: string | undefined): string | null {
  const bytes = Buffer.from(checksum ?? '', 'base64');
  return bytes.length === 32 && !checksum?.includes('-') ? bytes.toString('hex') : null;
}

export const storedObject = (id: string, head: HeadObjectCommandOutput): StoredObject =>
  storedObjectOf({
    id,
    sizeBytes: head.ContentLength ?? 0,
    mimeType: head.ContentType ?? null,
    createdAt: head.LastModified?.toISOString() ?? null,
    name: id.split('/').at(-1) ?? null,
    sha256: sha256Of(head.ChecksumSHA256),
  });
