import { AbortMultipartUploadCommand, ListMultipartUploadsCommand, type ListMultipartUploadsCommandOutput } from '@aws-sdk/client-s3';
import { hasCode } from '../domain/errors.ts';
import { type RetryPolicy, withRetries } from './retry.ts';
import type { S3, S3Call } from './s3-client.ts';
import type { Limits } from './watchdog.ts';

/** An upload in parts that is not complete: its parts take room, and no listing of objects shows them. */
export interface OpenUpload {
  key: string;
  uploadId: string;
}

export interface UploadsListing {
  s3: S3;
  bucket: string;
  prefix: string;
  signal: AbortSignal;
  limits: Limits;
  retry: RetryPolicy;
}

export async function* uploadsIn({ s3, bucket, prefix, signal, limits, retry }: UploadsListing): AsyncGenerator<OpenUpload> {
  for (let place: { KeyMarker?: string; UploadIdMarker?: string } | null = {}; place !== null; ) {
    const command: ListMultipartUploadsCommand = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...place });
    const page: ListMultipartUploadsCommandOutput = await withRetries(retry, signal, () =>
      s3.send(command, { operation: 'list', signal, limits }),
    );
    for (const { Key, UploadId } of page.Uploads ?? [])
      if (Key !== undefined && UploadId !== undefined) yield { key: Key, uploadId: UploadId };
    const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = page;
    if (IsTruncated !== true || NextKeyMarker === undefined) return;
    place = { KeyMarker: NextKeyMarker, ...(NextUploadIdMarker === undefined ? {} : { UploadIdMarker: NextUploadIdMarker }) };
  }
}

/** Removes the parts. That it is gone already is fine. */
export async function removeUpload(s3: S3, bucket: string, { key, uploadId }: OpenUpload, call: S3Call): Promise<void> {
  try {
    await s3.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: uploadId }), call);
  } catch (error) {
    if (!hasCode(error, 'not_found')) throw error;
  }
}
