import { randomUUID } from 'node:crypto';
import { S3Client } from '@aws-sdk/client-s3';
import { createS3, type S3Options } from '../../src/providers/s3.ts';
import { MIB } from './bodies.ts';
import { LONG } from './timeouts.ts';
import type { S3Server } from './versitygw.ts';

/** The provider over a test's S3 server, in a bucket of its own. */
export function s3Provider({ url, accessKeyId, secretAccessKey }: S3Server, options: Partial<S3Options> = {}) {
  return createS3({
    endpoint: url,
    region: 'us-east-1',
    accessKeyId,
    secretAccessKey,
    sessionToken: null,
    forcePathStyle: true,
    bucket: `test-${randomUUID().slice(0, 8)}`,
    maxFileBytes: 200 * MIB,
    multipartThresholdBytes: 64 * MIB,
    partBytes: 16 * MIB,
    maxRetryAttempts: 3,
    timeouts: LONG,
    ...options,
  });
}

/** Amazon's own client, to see what is really there. */
export const s3Client = ({ url, accessKeyId, secretAccessKey }: S3Server) =>
  new S3Client({ endpoint: url, region: 'us-east-1', forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } });
