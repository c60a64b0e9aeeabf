import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { CreateMultipartUploadCommand, ListMultipartUploadsCommand, type S3Client, UploadPartCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FileManagementError, FileNotFoundError } from '../../src/domain/errors.ts';
import { objectKey } from '../../src/domain/object-key.ts';
import type { Provider, UploadRequest } from '../../src/providers/provider.ts';
import type { S3Options } from '../../src/providers/s3.ts';
import { drain, freshSeed, MIB, pattern, patternBody, uploadOf } from '../support/bodies.ts';
import { type Fault, type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { s3Client, s3Provider } from '../support/s3-provider.ts';
import { SHORT } from '../support/timeouts.ts';
import { BUILD_TIMEOUT_MS, noVersitygw, type S3Server, startVersitygw } from '../support/versitygw.ts';

const signal = new AbortController().signal;
const without = noVersitygw();
const PART = 5 * MIB;
const SIZE = 3 * PART + 1000;

describe.skipIf(without !== null)(without ?? 'S3 at versitygw', () => {
  const bucket = `test-${randomUUID().slice(0, 8)}`;
  let server: S3Server;
  let proxy: FaultProxy;
  let client: S3Client;
  /** The server itself. */
  let direct: Provider;
  const through = (more: Partial<S3Options> = {}) =>
    s3Provider(server, { endpoint: proxy.url, bucket, timeouts: SHORT, multipartThresholdBytes: MIB, partBytes: PART, ...more });
  beforeAll(async () => {
    server = await startVersitygw();
    proxy = await startFaultProxy(server.url, { keepHost: true });
    client = s3Client(server);
    direct = s3Provider(server, { bucket });
    await direct.check(signal);
  }, BUILD_TIMEOUT_MS);
  beforeEach(() => proxy.reset());
  afterAll(async () => {
    await proxy?.close();
    await server?.close();
  });
  const keyOf = ({ sha256 }: UploadRequest) => objectKey(sha256, 'live');
  const partsSent = () => proxy.seen.flatMap(({ path }) => /partNumber=(\d+)/.exec(path)?.[1] ?? []).map(Number);
  const openUploads = async () => (await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads ?? [];
  async function expectStored({ sha256, body }: UploadRequest): Promise<void> {
    const { chunks } = await direct.download(direct.idOf(sha256, 'live') as string, { signal });
    expect(await drain(chunks)).toEqual({ sizeBytes: body.sizeBytes, sha256 });
    expect(await openUploads()).toEqual([]);
  }
  const failing = async (work: Promise<unknown>): Promise<FileManagementError> => {
    const error = await work.then(
      () => expect.unreachable('should have failed'),
      (thrown) => thrown,
    );
    expect(error).toBeInstanceOf(FileManagementError);
    return error;
  };

  /** An upload whose worker dies while it sends the third part. @returns what it left */
  async function diedInThirdPart(request: UploadRequest): Promise<unknown> {
    let checkpoint: unknown;
    const controller = new AbortController();
    const { body } = request;
    const dying = {
      sizeBytes: body.sizeBytes,
      async *open(offset: number) {
        let read = offset;
        for await (const chunk of body.open(offset, signal)) {
          read += chunk.byteLength;
          yield chunk;
          if (read > 2 * PART + MIB) controller.abort(new Error('killed'));
        }
      },
    };
    const onCheckpoint = (left: unknown) => {
      checkpoint = JSON.parse(JSON.stringify(left));
    };
    await expect(through().upload({ ...request, body: dying, signal: controller.signal, onCheckpoint })).rejects.toThrow('killed');
    expect(await openUploads()).toMatchObject([{ Key: keyOf(request) }]);
    proxy.reset();
    return checkpoint;
  }

  describe('goes on after the death of a worker', () => {
    test('and sends only the parts that are not there', async () => {
      const request = uploadOf(SIZE, freshSeed());
      const checkpoint = await diedInThirdPart(request);
      await through().upload({ ...request, retried: true, checkpoint, onCheckpoint: () => expect.unreachable('it goes on') });
      expect(partsSent()).toEqual([3, 4]);
      await expectStored(request);
    });

    test('and sends a part again that is there with other bytes', async () => {
      const request = uploadOf(SIZE, freshSeed());
      const checkpoint = await diedInThirdPart(request);
      const { uploadId: UploadId } = checkpoint as { uploadId: string };
      const Body = Buffer.alloc(PART, 1);
      await client.send(
        new UploadPartCommand({ Bucket: bucket, Key: keyOf(request), UploadId, PartNumber: 2, Body, ChecksumAlgorithm: 'SHA256' }),
      );
      await through().upload({ ...request, retried: true, checkpoint });
      expect(partsSent()).toEqual([2, 3, 4]);
      await expectStored(request);
    });

    test('from the start where the upload is not known any more', async () => {
      const request = uploadOf(SIZE, freshSeed());
      const checkpoint = { uploadId: randomUUID(), key: keyOf(request), sha256: request.sha256, partBytes: PART };
      const left: unknown[] = [];
      await through().upload({ ...request, retried: true, checkpoint, onCheckpoint: (each) => left.push(each) });
      expect(left).toHaveLength(1);
      await expectStored(request);
    });

    test('with parts of the size that it began with', async () => {
      const request = uploadOf(SIZE, freshSeed());
      const checkpoint = await diedInThirdPart(request);
      await through({ partBytes: 6 * MIB }).upload({ ...request, retried: true, checkpoint });
      expect(partsSent()).toEqual([3, 4]);
      await expectStored(request);
    });

    test.each([{ uploadId: 'x' }, 'nonsense', null, { uploadId: 'x', key: 'live/aa/b', sha256: 'other', partBytes: 1 }])(
      'from the start where what it left is %j',
      async (checkpoint) => {
        const request = uploadOf(2 * PART, freshSeed());
        await through().upload({ ...request, checkpoint });
        await expectStored(request);
      },
    );
  });

  describe('leaves no parts behind', () => {
    test('when the file has changed', async () => {
      const seed = freshSeed();
      const request = uploadOf(SIZE, seed, { body: patternBody(SIZE, seed + 500_000_000), onCheckpoint: () => {} });
      expect(await failing(through().upload(request))).toMatchObject({ code: 'file_changed' });
      expect(await openUploads()).toEqual([]);
    });

    test('when the caller stops and nobody will go on', async () => {
      const controller = new AbortController();
      const seed = freshSeed();
      const body = {
        sizeBytes: SIZE,
        async *open(offset: number) {
          for (const chunk of pattern(SIZE, seed, offset)) {
            yield chunk;
            if (chunk.readDoubleLE(4) > PART + MIB) controller.abort(new Error('stop'));
          }
        },
      };
      await expect(through().upload(uploadOf(SIZE, seed, { body, signal: controller.signal }))).rejects.toThrow('stop');
      expect(await openUploads()).toEqual([]);
    });

    test('of an earlier attempt that nobody can go on with', async () => {
      const request = uploadOf(SIZE, freshSeed());
      await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: keyOf(request) }));
      await through().upload({ ...request, retried: true });
      await expectStored(request);
    });

    test('but those of other files', async () => {
      const other = await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: `${keyOf(uploadOf(1, 1))}0` }));
      await through().upload({ ...uploadOf(SIZE, freshSeed()), retried: true });
      expect(await openUploads()).toMatchObject([{ UploadId: other.UploadId }]);
      await (direct.buckets?.empty(bucket, signal) ?? expect.unreachable('it has buckets'));
    });

    test('when the answer to its beginning was lost', async () => {
      const request = uploadOf(SIZE, freshSeed());
      proxy.inject(({ method, path }) => method === 'POST' && path.endsWith('?uploads='), { kind: 'drop-answer' });
      await through().upload(request);
      await expectStored(request);
    });
  });

  test.each<[string, Fault]>([
    ['its answer was lost', { kind: 'drop-answer' }],
    ['it was not answered in time', { kind: 'hang' }],
    ['it says 200 and tells of an error', { kind: 'answer', status: 200, headers: { 'content-type': 'application/xml' } }],
  ])(
    'completes an upload once more when %s',
    async (_, fault) => {
      const request = uploadOf(SIZE, freshSeed());
      proxy.inject(({ method, path }) => method === 'POST' && path.includes('uploadId='), fault);
      await through().upload(request);
      await expectStored(request);
    },
    30_000,
  );

  test('whose source is gone says so, and leaves no parts', async () => {
    const gone = new FileNotFoundError('gone', { code: 'not_found', provider: 'elsewhere' });
    const body = {
      sizeBytes: SIZE,
      async *open() {
        yield* [...pattern(PART + MIB, 1)];
        throw gone;
      },
    };
    await expect(through().upload(uploadOf(SIZE, freshSeed(), { body, onCheckpoint() {} }))).rejects.toBe(gone);
    expect(await openUploads()).toEqual([]);
  });

  test('sends several large files at once, more than it keeps parts of in memory', async () => {
    const requests = Array.from({ length: 5 }, () => uploadOf(SIZE, freshSeed()));
    const provider = through();
    await Promise.all(requests.map((request) => provider.upload(request)));
    for (const request of requests) await expectStored(request);
  });

  test('reads a part that it does not keep twice, and notices what has changed between', async () => {
    const seed = freshSeed();
    let opened = 0;
    const body = {
      sizeBytes: SIZE,
      open(offset: number) {
        opened += 1;
        return patternBody(SIZE, opened === 1 ? seed : seed + 500_000_000).open(offset, signal);
      },
    };
    const provider = through({ partBytes: 17 * MIB });
    expect(await failing(provider.upload(uploadOf(SIZE, seed, { body })))).toMatchObject({ code: 'file_changed' });
    expect(opened).toBe(2);
    expect(await openUploads()).toEqual([]);
  });

  test.each([
    ['in one request', { multipartThresholdBytes: 64 * MIB }, 1],
    ['in parts', {}, 4],
  ])('sends the plain bytes %s, with their length and their signed SHA-256', async (_, more, requests) => {
    const request = uploadOf(SIZE, freshSeed());
    await through(more).upload(request);
    const puts = proxy.seen.filter(({ method }) => method === 'PUT');
    expect(puts).toHaveLength(requests);
    let sent = 0;
    for (const { headers, bodyBytes } of puts) {
      sent += bodyBytes;
      expect(headers).toMatchObject({
        'content-length': String(bodyBytes),
        'x-amz-content-sha256': expect.stringMatching(/^[0-9a-f]{64}$/),
      });
      expect(Buffer.from(String(headers['x-amz-checksum-sha256']), 'base64').toString('hex')).toBe(headers['x-amz-content-sha256']);
      for (const name of ['transfer-encoding', 'content-encoding', 'x-amz-trailer', 'expect']) expect(headers).not.toHaveProperty(name);
    }
    expect(sent).toBe(SIZE);
    if (requests === 1) expect(puts[0]?.headers['x-amz-content-sha256']).toBe(request.sha256);
  });

  describe('looks after its bucket', () => {
    test('creates it when it is missing, also for several workers at once and for an upload', async () => {
      for (const first of [
        (it: Provider) => Promise.all(Array.from({ length: 8 }, () => it.check(signal))),
        (it: Provider) => Promise.all(Array.from({ length: 8 }, () => it.upload(uploadOf(10, 1)))),
        (it: Provider) => it.upload(uploadOf(SIZE, 1)),
      ]) {
        const missing = `test-${randomUUID().slice(0, 8)}`;
        await first(through({ bucket: missing }));
        expect((await direct.buckets?.list(signal))?.map(({ name }) => name)).toContain(missing);
      }
    });

    test('says what to do when it is missing and must not be created', async () => {
      const denied = { kind: 'answer', status: 403, body: '<Error><Code>AccessDenied</Code><Message>no</Message></Error>' } as const;
      proxy.inject(({ method }) => method === 'PUT', denied);
      const error = await failing(through({ bucket: 'not-there' }).check(signal));
      expect(error).toMatchObject({ code: 'bucket_not_found', retryable: false });
      expect(error.message).toContain('S3_BUCKET');
    });

    test('says so when something else answers at the address', async () => {
      proxy.inject(() => true, { kind: 'answer', status: 200, headers: { 'content-type': 'text/html' }, body: 'welcome' });
      const error = await failing(through().check(signal));
      expect(error).toMatchObject({ code: 'unexpected_answer', retryable: false });
      expect(error.message).toContain('S3_ENDPOINT');
    });

    test('says so when nothing listens there', async () => {
      const error = await failing(through({ endpoint: 'http://127.0.0.1:1', maxRetryAttempts: 0 }).check(signal));
      expect(error).toMatchObject({ code: 'connection_refused', retryable: true });
      expect(error.message).toContain('S3_ENDPOINT');
    });
  });

  test('never lets its secrets out, even where the server repeats them', async () => {
    const secrets = { secretAccessKey: 'CANARY-secret', sessionToken: 'CANARY-token' };
    const provider = through({ ...secrets, maxRetryAttempts: 1 });
    const said = `${secrets.secretAccessKey} ${secrets.sessionToken}`;
    const xml = `<Error><Code>${said}</Code><Message>${said}</Message></Error>`;
    const faults: Fault[] = [
      { kind: 'answer', status: 400, body: xml },
      { kind: 'answer', status: 403, body: xml },
      { kind: 'answer', status: 500, body: said },
      { kind: 'reset-request', afterBytes: 0 },
      { kind: 'drop-answer' },
      { kind: 'hang' },
    ];
    for (const fault of faults) {
      proxy.inject(() => true, fault, fault);
      const error = await failing(provider.upload(uploadOf(10, freshSeed())));
      const shown = inspect(error, { depth: 10, showHidden: true }) + JSON.stringify(error) + String(error) + error.stack;
      expect(shown).not.toContain('CANARY');
      proxy.reset();
    }
    expect(inspect(provider, { depth: 10, showHidden: true }) + JSON.stringify(provider)).not.toContain('CANARY');
  }, 60_000);
});
