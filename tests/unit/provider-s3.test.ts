import { describe, expect, test } from 'vitest';
import { classifyAnswer, type Failure, readErrorAnswer } from '../../src/providers/classify.ts';
import { errorFrom } from '../../src/providers/failure.ts';
import { createS3 } from '../../src/providers/s3.ts';
import type { S3 } from '../../src/providers/s3-client.ts';
import { listS3 } from '../../src/providers/s3-list.ts';
import { partSize } from '../../src/providers/s3-multipart.ts';
import { checksumOf, sha256Of } from '../../src/providers/s3-object.ts';

const MIB = 1024 * 1024;

describe('parts', () => {
  test.each([
    [1, 16 * MIB, 16 * MIB],
    [160_000 * MIB, 16 * MIB, 16 * MIB],
    [160_000 * MIB + 1, 16 * MIB, 17 * MIB],
    [5 * 1024 * 1024 * MIB, 5 * MIB, 525 * MIB],
  ])('of a file of %i bytes are as large as is wanted, or as 10,000 need (%i → %i)', (sizeBytes, wanted, bytes) => {
    expect(partSize(sizeBytes, wanted)).toBe(bytes);
    expect(Math.ceil(sizeBytes / bytes)).toBeLessThanOrEqual(10_000);
  });
});

describe("a checksum in S3's words", () => {
  const sha256 = 'ab'.repeat(32);
  test('is the SHA-256 of the bytes', () => expect(sha256Of(checksumOf(sha256))).toBe(sha256));
  test.each([undefined, '', 'AAAA', `${checksumOf(sha256)}-3`])('%j is none of the bytes', (checksum) =>
    expect(sha256Of(checksum)).toBeNull(),
  );
});

describe('an error of S3', () => {
  const said = (status: number, code: string) =>
    classifyAnswer(
      readErrorAnswer(
        status,
        {},
        `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>it&apos;s &lt;so&gt;</Message><Resource>/b/k</Resource></Error>`,
        0,
      ),
    );
  test.each([
    [404, 'NoSuchKey', 'not_found', false],
    [404, 'NoSuchUpload', 'not_found', false],
    [404, 'NoSuchBucket', 'bucket_not_found', false],
    [409, 'BucketNotEmpty', 'bucket_not_empty', false],
    [409, 'BucketAlreadyOwnedByYou', 'bucket_exists', false],
    [403, 'AccessDenied', 'unauthorized', false],
    [403, 'InvalidAccessKeyId', 'unauthorized', false],
    [403, 'SignatureDoesNotMatch', 'unauthorized', false],
    [400, 'ExpiredToken', 'unauthorized', false],
    [403, 'RequestTimeTooSkewed', 'clock_skewed', false],
    [400, 'EntityTooLarge', 'file_too_large', false],
    [503, 'SlowDown', 'rate_limited', true],
    [400, 'RequestTimeout', 'timeout', true],
    [400, 'BadDigest', 'damaged_on_the_way', true],
    [400, 'XAmzContentSHA256Mismatch', 'damaged_on_the_way', true],
    [400, 'IncompleteBody', 'damaged_on_the_way', true],
    [409, 'OperationAborted', 'conflict', true],
    [500, 'InternalError', 'server_error', true],
    [501, 'NotImplemented', 'not_supported', false],
    [301, 'PermanentRedirect', 'unexpected_answer', false],
  ])('%i %s is %s', (status, code, ours, retryable) => {
    expect(said(status, code)).toMatchObject({ code: ours, retryable, detail: `it's <so> (HTTP ${status} ${code})` });
  });
});

test.each([
  [{ endpoint: 's3.example.com' }, 'invalid_url', 'S3_ENDPOINT'],
  [{ secretAccessKey: 'with space' }, 'invalid_key', 'S3_SECRET_ACCESS_KEY'],
  [{ accessKeyId: '' }, 'invalid_key', 'S3_ACCESS_KEY_ID'],
  [{ bucket: 'a/b' }, 'invalid_bucket', 'S3_BUCKET'],
])('settings that cannot be right are refused, naming the variable: %j', (wrong, code, variable) => {
  const settings = {
    bucket: 'files',
    endpoint: null,
    region: 'us-east-1',
    accessKeyId: 'id',
    secretAccessKey: 'secret',
    sessionToken: null,
    forcePathStyle: false,
    maxFileBytes: 1,
    multipartThresholdBytes: 64 * MIB,
    partBytes: 16 * MIB,
    maxRetryAttempts: 0,
    timeouts: { callMs: 1000, idleMs: 1000, minBytesPerSecond: 1 },
  };
  expect(() => createS3({ ...settings, ...wrong })).toThrow(expect.objectContaining({ code, message: expect.stringContaining(variable) }));
  expect(createS3(settings).account).toBe('s3.amazonaws.com/files');
});

describe('a listing', () => {
  const key = (name: string) => ({ Key: name, Size: 1 });
  /** A server that gives these pages, one a request, and the last again and again. */
  async function listed(...pages: object[]): Promise<string[]> {
    const send = async () => ({ Name: 'files', ...(pages.length > 1 ? pages.shift() : pages[0]) });
    const failure = (operation: 'list', what: Failure) =>
      errorFrom(what, operation, { provider: 's3', where: '', advice: {}, secrets: [] });
    const limits = { idleMs: 1000, totalMs: 1000 };
    const ids: string[] = [];
    for await (const { objects } of listS3({
      ...{ s3: { send, failure } as unknown as S3, bucket: 'files', prefix: '', after: null, limits },
      ...{ signal: new AbortController().signal, retry: { maxRetries: 0, budgetMs: 1000 } },
    }))
      ids.push(...objects.map(({ id }) => id));
    return ids;
  }
  test('goes on behind a page without an object', async () => {
    const pages = [
      { Contents: [key('a')], IsTruncated: true, NextContinuationToken: '1' },
      { IsTruncated: true, NextContinuationToken: '2' },
      { Contents: [key('b')] },
    ];
    expect(await listed(...pages)).toEqual(['files/a', 'files/b']);
  });
  test.each([{ IsTruncated: true }, { IsTruncated: true, NextContinuationToken: '1' }])(
    'that says that more follows and not where is an error, and no end: %j',
    async (page) => expect(listed(page)).rejects.toMatchObject({ code: 'unexpected_answer' }),
  );
});
