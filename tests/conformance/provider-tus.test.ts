import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Provider, UploadRequest } from '../../src/providers/provider.ts';
import { TUS_CHUNK_BYTES } from '../../src/providers/tus.ts';
import { drain, freshSeed, MIB, pattern, patternBody, uploadOf } from '../support/bodies.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { dropBucket, freshBucket, supabase, supabaseProvider } from '../support/supabase-provider.ts';
import { startTusGateway, type TusGateway } from '../support/supabase-tus-gateway.ts';

const signal = new AbortController().signal;
const SIZE = 20 * MIB + 5;
const isPart = ({ method }: { method: string }) => method === 'PATCH';

describe('resumable uploads to Supabase Storage', () => {
  const bucket = freshBucket();
  let gateway: TusGateway;
  let proxy: FaultProxy;
  /** A new one is a new worker: nothing is remembered but the checkpoint. */
  const worker = (): Provider => supabaseProvider({ url: proxy.url, bucket, tusThresholdBytes: 6 * MIB });
  beforeAll(async () => {
    gateway = await startTusGateway(supabase().url, supabase().secretKey);
    proxy = await startFaultProxy(gateway.url);
    await worker().check(signal);
  });
  beforeEach(() => {
    proxy.reset();
    gateway.parts.length = 0;
  });
  afterAll(async () => {
    await proxy?.close();
    await gateway?.close();
    await dropBucket(bucket);
  });
  async function expectStored({ sha256, body }: UploadRequest) {
    const download = await worker().download(worker().idOf(sha256, 'live') as string, { signal });
    expect(await drain(download.chunks)).toEqual({ sizeBytes: body.sizeBytes, sha256 });
  }
  /** A worker dies after so many bytes; what it left. */
  async function dieAfter(bytes: number, seed: number): Promise<unknown> {
    const controller = new AbortController();
    let checkpoint: unknown;
    const body = {
      sizeBytes: SIZE,
      async *open(offset: number) {
        let sent = offset;
        for (const chunk of pattern(SIZE, seed, offset)) {
          yield chunk;
          sent += chunk.length;
          if (sent >= bytes) controller.abort(new Error('killed'));
        }
      },
    };
    const onCheckpoint = (left: unknown) => {
      checkpoint = JSON.parse(JSON.stringify(left));
    };
    await expect(worker().upload(uploadOf(SIZE, seed, { body, signal: controller.signal, onCheckpoint }))).rejects.toThrow('killed');
    // The server has heard of the death, so that its last part is not counted among those to come.
    await expect.poll(() => proxy.seen.findLast(isPart)?.abandonedAt ?? null).not.toBeNull();
    gateway.parts.length = 0;
    return checkpoint;
  }

  test('go in parts of exactly 6 MiB, but for the last', async () => {
    const request = uploadOf(SIZE, freshSeed());
    await worker().upload(request);
    expect(gateway.parts).toEqual([TUS_CHUNK_BYTES, TUS_CHUNK_BYTES, TUS_CHUNK_BYTES, SIZE - 3 * TUS_CHUNK_BYTES]);
    await expectStored(request);
  });

  test('are not used up to the threshold, nor where the server has none', async () => {
    await worker().upload(uploadOf(6 * MIB, freshSeed()));
    expect(gateway.parts).toEqual([]);
    const plain = await startFaultProxy(supabase().url);
    const provider = supabaseProvider({ url: plain.url, bucket, tusThresholdBytes: 0 });
    await provider.upload(uploadOf(MIB, freshSeed()));
    await provider.upload(uploadOf(MIB, freshSeed()));
    expect(plain.seen.map(({ method }) => method)).toEqual(['OPTIONS', 'POST', 'GET', 'POST', 'GET']);
    await plain.close();
  });

  test('go on where the dead worker stopped, without sending again what the server has', async () => {
    const seed = freshSeed();
    const checkpoint = await dieAfter(2 * TUS_CHUNK_BYTES + MIB, seed);
    const created = gateway.created;
    const request = uploadOf(SIZE, seed, { checkpoint });
    await worker().upload(request);
    expect(gateway.created).toBe(created);
    expect(gateway.parts.reduce((sum, part) => sum + part)).toBeLessThanOrEqual(SIZE - 2 * TUS_CHUNK_BYTES);
    await expectStored(request);
  });

  test('that were complete when the worker died are not sent again', async () => {
    const seed = freshSeed();
    let checkpoint: unknown;
    await worker().upload(uploadOf(SIZE, seed, { onCheckpoint: (left) => (checkpoint = left) }));
    gateway.parts.length = 0;
    await worker().upload(uploadOf(SIZE, seed, { checkpoint }));
    expect(gateway.parts).toEqual([]);
  });

  test('begin anew when the upload has expired', async () => {
    const seed = freshSeed();
    const checkpoint = await dieAfter(TUS_CHUNK_BYTES + MIB, seed);
    await gateway.expireAll();
    const request = uploadOf(SIZE, seed, { checkpoint });
    await worker().upload(request);
    expect(gateway.parts).toHaveLength(4);
    await expectStored(request);
  });

  test('begin anew when the upload expires on the way', async () => {
    const request = uploadOf(SIZE, freshSeed());
    let sent = 0;
    const secondPart = (seen: { method: string }) => {
      if (!isPart(seen) || ++sent !== 2) return false;
      void gateway.expireAll();
      return true;
    };
    proxy.inject(secondPart, { kind: 'answer', status: 404, body: 'The file for this url was not found' });
    const created = gateway.created;
    await worker().upload(request);
    expect(gateway.created).toBe(created + 2);
    expect(gateway.parts).toHaveLength(1 + 4);
    await expectStored(request);
  });

  test.each([
    ['another content', (left: object) => ({ ...left, sha256: 'f'.repeat(64) })],
    ['another server', (left: object) => ({ ...left, uploadUrl: 'https://elsewhere.example/upload/1' })],
    ['nonsense', () => ({ uploadUrl: 5 })],
    ['nothing', () => null],
  ])('do not go on from a checkpoint of %s', async (_, change) => {
    const seed = freshSeed();
    const checkpoint = change((await dieAfter(TUS_CHUNK_BYTES + MIB, seed)) as object);
    const request = uploadOf(SIZE, seed, { checkpoint });
    await worker().upload(request);
    expect(gateway.parts).toHaveLength(4);
    await expectStored(request);
  });

  test.each([
    ['the answer to a part is lost', { kind: 'drop-answer' } as const, 4],
    ['a part breaks in the middle', { kind: 'reset-request', afterBytes: 3 * MIB } as const, 4],
    ['a part meets a lock', { kind: 'answer', status: 423, body: 'locked' } as const, 4],
    ['the offsets conflict', { kind: 'answer', status: 409, body: 'conflict' } as const, 4],
    ['the server fails', { kind: 'answer', status: 503 } as const, 4],
  ])('ask where they are and go on when %s', async (_, fault, parts) => {
    const request = uploadOf(SIZE, freshSeed());
    proxy.inject(isPart, fault);
    await worker().upload(request);
    expect(proxy.seen.filter(({ method }) => method === 'HEAD')).toHaveLength(1);
    expect(gateway.parts).toHaveLength(parts);
    expect(gateway.parts.reduce((sum, part) => sum + part)).toBeLessThanOrEqual(SIZE + TUS_CHUNK_BYTES);
    await expectStored(request);
  });

  test('count retries for each part, so that a large file on a bad line arrives', async () => {
    const request = uploadOf(SIZE, freshSeed());
    const drop = { kind: 'drop-answer' } as const;
    let parts = 0;
    proxy.inject((seen) => isPart(seen) && ++parts > 0, drop, drop, drop, drop);
    await supabaseProvider({ url: proxy.url, bucket, maxRetryAttempts: 1 }).upload(request);
    expect(parts).toBe(4);
    await expectStored(request);
  });

  test('are taken back, and store nothing, when the file changes on the way', async () => {
    const seed = freshSeed();
    const terminated = gateway.terminated;
    const request = uploadOf(SIZE, seed, { body: patternBody(SIZE, seed + 500_000_000) });
    await expect(worker().upload(request)).rejects.toMatchObject({ code: 'file_changed', retryable: false });
    expect(gateway.terminated).toBe(terminated + 1);
    expect(await worker().info(worker().idOf(request.sha256, 'live') as string, signal)).toBeNull();
  });

  test('say that a key is wrong', async () => {
    const wrong = supabaseProvider({ url: proxy.url, bucket, secretKey: 'sb_secret_wrong' });
    const error = await wrong.upload(uploadOf(SIZE, freshSeed())).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'unauthorized', retryable: false });
    expect(error.message).toContain('SUPABASE_SECRET_KEY');
  });
});
