import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DownloadError, FileManagementError, ProviderUnavailableError, UploadError, ValidationError } from '../../src/domain/errors.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { drain, freshSeed, MIB, pattern, uploadOf } from '../support/bodies.ts';
import { type Fault, type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { dropBucket, freshBucket, supabase, supabaseProvider } from '../support/supabase-provider.ts';
import { SHORT } from '../support/timeouts.ts';

const signal = new AbortController().signal;
const bucket = freshBucket();
const isUpload = ({ method, path }: { method: string; path: string }) => method === 'POST' && path.startsWith('/storage/v1/object/');
const isDownload = ({ method, path }: { method: string; path: string }) =>
  method === 'GET' && path.startsWith(`/storage/v1/object/${bucket}/`);
const isInfo = ({ path }: { path: string }) => path.startsWith('/storage/v1/object/info/');

describe('Supabase Storage when things go wrong', () => {
  let proxy: FaultProxy;
  let provider: Provider;
  /** The storage itself, to see what is really there. */
  let direct: Provider;
  beforeAll(async () => {
    proxy = await startFaultProxy(supabase().url);
    provider = supabaseProvider({ url: proxy.url, bucket, timeouts: SHORT });
    direct = supabaseProvider({ bucket });
    await direct.check(signal);
  });
  beforeEach(() => proxy.reset());
  afterAll(async () => {
    await proxy.close();
    await dropBucket(bucket);
  });
  const uploads = () => proxy.seen.filter(isUpload);
  const thrownBy = (work: Promise<unknown>) =>
    work.then(
      () => expect.unreachable('should have failed'),
      (error) => error as FileManagementError,
    );
  async function expectStored(sizeBytes: number, seed: number) {
    const { sha256 } = uploadOf(sizeBytes, seed);
    const id = direct.idOf(sha256, 'live') as string;
    expect(await drain((await direct.download(id, { signal })).chunks)).toEqual({ sizeBytes, sha256 });
  }

  describe('tries again', () => {
    const body = { message: 'not now' };
    test.each<[string, number, Fault]>([
      ['429 without Retry-After', 4096, { kind: 'answer', status: 429, body: { statusCode: '429', code: 'SlowDown', message: 'x' } }],
      ['500', 4096, { kind: 'answer', status: 500, body }],
      ['502 with a web page', 4096, { kind: 'answer', status: 502, headers: { 'content-type': 'text/html' }, body: '<html>' }],
      ['503 inside a 400', 4096, { kind: 'answer', status: 400, body: { statusCode: '503', code: 'LockTimeout', message: 'x' } }],
      ['544', 4096, { kind: 'answer', status: 544, body: { statusCode: '544', code: 'DatabaseTimeout', message: 'x' } }],
      ['423 inside a 400', 4096, { kind: 'answer', status: 400, body: { statusCode: '423', code: 'ResourceLocked', message: 'x' } }],
      ['a reset of a small upload', 4096, { kind: 'reset-request', afterBytes: 1 }],
      ['a reset in the middle of an upload', 5 * MIB, { kind: 'reset-request', afterBytes: 2 * MIB }],
      ['an answer dropped after the server stored a small file', 4096, { kind: 'drop-answer' }],
      ['an answer dropped after the server stored a large file', 3 * MIB, { kind: 'drop-answer' }],
      ['a server that stops reading', 20 * MIB, { kind: 'stall-request', afterBytes: MIB }],
      ['a server that never answers', 4096, { kind: 'hang' }],
    ])('after %s', async (_, sizeBytes, fault) => {
      const seed = freshSeed();
      proxy.inject(isUpload, fault);
      await provider.upload(uploadOf(sizeBytes, seed));
      expect(uploads()).toHaveLength(2);
      await expectStored(sizeBytes, seed);
    });

    test('not sooner than Retry-After asks', async () => {
      proxy.inject(isUpload, { kind: 'answer', status: 429, headers: { 'retry-after': '1' }, body });
      const started = performance.now();
      await provider.upload(uploadOf(10, freshSeed()));
      expect(performance.now() - started).toBeGreaterThanOrEqual(1000);
      expect(uploads()).toHaveLength(2);
    });

    test('a file of which less was stored than was sent, and leaves no damaged one when that goes on', async () => {
      const seed = freshSeed();
      proxy.inject(isUpload, { kind: 'store-less', bytes: 7 });
      await provider.upload(uploadOf(MIB, seed));
      await expectStored(MIB, seed);

      const other = freshSeed();
      proxy.inject(isUpload, ...Array.from({ length: 4 }, () => ({ kind: 'store-less', bytes: 7 }) as const));
      const error = await thrownBy(provider.upload(uploadOf(MIB, other)));
      expect(error).toBeInstanceOf(UploadError);
      expect(error).toMatchObject({ code: 'size_mismatch', retryable: true });
      expect(await direct.info(direct.idOf(uploadOf(MIB, other).sha256, 'live') as string, signal)).toBeNull();
    });

    test.each<[string, Fault]>([
      ['a reset in the middle', { kind: 'reset-answer', afterBytes: 3 * MIB }],
      ['an answer that stops', { kind: 'stall-answer', afterBytes: 3 * MIB }],
      ['500', { kind: 'answer', status: 500 }],
    ])('a download after %s, without fetching again what it has', async (_, fault) => {
      const { sha256, ...request } = uploadOf(5 * MIB, freshSeed());
      const { id } = await direct.upload({ sha256, ...request });
      proxy.inject(isDownload, fault);
      const download = await provider.download(id, { signal });
      expect(await drain(download.chunks)).toEqual({ sizeBytes: 5 * MIB, sha256 });
      const seen = proxy.seen.filter(isDownload);
      expect(seen).toHaveLength(2);
      if (fault.kind !== 'answer') expect(seen[1]?.headers.range).toMatch(/^bytes=[1-9]\d{5,}-5242879$/);
    });
  });

  describe('gives up', () => {
    test('at once when Retry-After is beyond its time, saying that and when it can help', async () => {
      proxy.inject(isUpload, { kind: 'answer', status: 429, headers: { 'retry-after': '3600' } });
      const error = await thrownBy(provider.upload(uploadOf(10, freshSeed())));
      expect(error).toBeInstanceOf(ProviderUnavailableError);
      expect(error).toMatchObject({ code: 'rate_limited', retryable: true, retryAfterMs: 60_000 });
      expect(uploads()).toHaveLength(1);
    });

    test.each([0, 2])('after %i retries where no more are allowed', async (maxRetryAttempts) => {
      const few = supabaseProvider({ url: proxy.url, bucket, timeouts: SHORT, maxRetryAttempts });
      proxy.inject(isUpload, ...Array.from({ length: 5 }, () => ({ kind: 'answer', status: 503 }) as const));
      const error = await thrownBy(few.upload(uploadOf(10, freshSeed())));
      expect(error).toMatchObject({ name: 'ProviderUnavailableError', code: 'unavailable', retryable: true });
      expect(uploads()).toHaveLength(maxRetryAttempts + 1);
    });

    test.each([
      ['413', 413, { statusCode: '413', error: 'Payload too large', message: 'exceeded' }, ValidationError, 'file_too_large', 'size limit'],
      ['413 inside a 400', 400, { statusCode: '413', message: 'exceeded' }, ValidationError, 'file_too_large', 'size limit'],
      ['415', 400, { statusCode: '415', error: 'invalid_mime_type', message: 'x' }, ValidationError, 'unsupported_media_type', 'type'],
      ['401', 401, { message: 'Invalid API key' }, UploadError, 'unauthorized', 'SUPABASE_SECRET_KEY'],
      ['403 inside a 400', 400, { statusCode: '403', message: 'row-level security' }, UploadError, 'unauthorized', 'SUPABASE_SECRET_KEY'],
      ['507', 507, { message: 'full' }, UploadError, 'insufficient_storage', 'room'],
      [
        'a full disk',
        500,
        { statusCode: '500', message: 'ENOSPC: no space left on device, write' },
        UploadError,
        'insufficient_storage',
        'room',
      ],
      ['a redirect', 301, {}, UploadError, 'unexpected_answer', 'SUPABASE_URL'],
    ] as const)('at once after %s, saying what to do', async (_, status, answer, Kind, code, advice) => {
      proxy.inject(isUpload, { kind: 'answer', status, body: answer });
      const error = await thrownBy(provider.upload(uploadOf(10, freshSeed())));
      expect(error).toBeInstanceOf(Kind);
      expect(error).toMatchObject({ code, retryable: false, provider: 'supabase' });
      expect(error.message).toContain(advice);
      expect(uploads()).toHaveLength(1);
    });

    test('a download whose connection breaks again and again, as one that a later attempt can save', async () => {
      const { id } = await direct.upload(uploadOf(5 * MIB, freshSeed()));
      proxy.inject(isDownload, ...Array.from({ length: 4 }, () => ({ kind: 'reset-answer', afterBytes: 65_536 }) as const));
      const download = await provider.download(id, { signal });
      const error = await thrownBy(drain(download.chunks));
      expect(error).toBeInstanceOf(DownloadError);
      expect(error).toMatchObject({ code: 'connection_broken', retryable: true });
    });

    test('a download of which fewer bytes come than were announced', async () => {
      const { id } = await direct.upload(uploadOf(1000, freshSeed()));
      proxy.inject(isDownload, { kind: 'promise-more', bytes: 10 });
      const download = await provider.download(id, { signal });
      expect(download.sizeBytes).toBe(1010);
      const error = await thrownBy(drain(download.chunks));
      expect(error).toBeInstanceOf(DownloadError);
      expect(error).toMatchObject({ code: 'wrong_length', retryable: true });
    });

    test('a trickle that is slower than the slowest rate', async () => {
      const { id } = await direct.upload(uploadOf(100_000, freshSeed()));
      const strict = supabaseProvider({
        url: proxy.url,
        bucket,
        maxRetryAttempts: 0,
        timeouts: { callMs: 500, idleMs: 400, minBytesPerSecond: 1_000_000 },
      });
      proxy.inject(isDownload, { kind: 'trickle-answer', everyMs: 5 });
      const started = performance.now();
      const error = await thrownBy(strict.download(id, { signal }).then(({ chunks }) => drain(chunks)));
      expect(error).toMatchObject({ name: 'DownloadError', code: 'timeout', retryable: true });
      expect(performance.now() - started).toBeLessThan(4000);
    });

    test('a small call that is never answered, after the time of a small call', async () => {
      const hasty = supabaseProvider({ url: proxy.url, bucket, timeouts: { ...SHORT, callMs: 300 } });
      proxy.inject(isInfo, { kind: 'hang' });
      const started = performance.now();
      const error = await thrownBy(hasty.info(`${bucket}/x`, signal));
      expect(error).toMatchObject({ name: 'ProviderUnavailableError', code: 'timeout', retryable: true });
      expect(performance.now() - started).toBeLessThan(1500);
    });

    test('where nothing listens, naming the host and SUPABASE_URL', async () => {
      const nowhere = supabaseProvider({ url: 'http://127.0.0.1:1', bucket, maxRetryAttempts: 0 });
      const error = await thrownBy(nowhere.check(signal));
      expect(error).toMatchObject({ name: 'ProviderUnavailableError', code: 'connection_refused', retryable: true });
      expect(error.message).toMatch(/127\.0\.0\.1:1\/.*SUPABASE_URL/);
    });
  });

  describe('stops the socket at once when told to', () => {
    const reason = new Error('stop');
    const slowly = (stop: AbortSignal) => {
      const seed = freshSeed();
      const body = {
        sizeBytes: 5 * MIB,
        async *open() {
          for (const chunk of pattern(5 * MIB, seed)) {
            yield chunk;
            await sleep(25);
          }
        },
      };
      return provider.upload(uploadOf(5 * MIB, seed, { body, signal: stop }));
    };
    test.each<[string, Fault[], (stop: AbortSignal, id: string) => Promise<unknown>]>([
      ['an upload under way', [], slowly],
      ['an upload that nobody answers', [{ kind: 'hang' }], (stop) => provider.upload(uploadOf(10, freshSeed(), { signal: stop }))],
      [
        'a download that does not go on',
        [{ kind: 'stall-answer', afterBytes: MIB }],
        async (stop, id) => drain((await provider.download(id, { signal: stop })).chunks),
      ],
    ])('in %s, which the server sees within a second', async (_, faults, work) => {
      const { id } = await direct.upload(uploadOf(5 * MIB, freshSeed()));
      proxy.inject((request) => isUpload(request) || isDownload(request), ...faults);
      const controller = new AbortController();
      let stoppedAt = 0;
      setTimeout(() => {
        stoppedAt = Date.now();
        controller.abort(reason);
      }, 300);
      await expect(work(controller.signal, id)).rejects.toBe(reason);
      expect(Date.now() - stoppedAt).toBeLessThan(1000);
      await expect.poll(() => proxy.seen[0]?.abandonedAt ?? 0, { timeout: 1000, interval: 20 }).toBeGreaterThanOrEqual(stoppedAt);
      expect((proxy.seen[0]?.abandonedAt ?? Number.POSITIVE_INFINITY) - stoppedAt).toBeLessThan(1000);
      expect(proxy.seen).toHaveLength(1);
    });

    test('in an upload to a server that has stopped reading', async () => {
      proxy.inject(isUpload, { kind: 'stall-request', afterBytes: MIB });
      const controller = new AbortController();
      setTimeout(() => controller.abort(reason), 300);
      const started = performance.now();
      await expect(provider.upload(uploadOf(20 * MIB, freshSeed(), { signal: controller.signal }))).rejects.toBe(reason);
      expect(performance.now() - started).toBeLessThan(1300);
    });

    test('while it waits for the next attempt', async () => {
      proxy.inject(isUpload, { kind: 'answer', status: 429, headers: { 'retry-after': '2' } });
      const controller = new AbortController();
      setTimeout(() => controller.abort(reason), 200);
      const started = performance.now();
      await expect(provider.upload(uploadOf(10, freshSeed(), { signal: controller.signal }))).rejects.toBe(reason);
      expect(performance.now() - started).toBeLessThan(1500);
    });
  });

  describe('looks after its bucket', () => {
    test('creates it, private, when it is missing, also for several workers at once and for an upload', async () => {
      for (const first of [
        (it: Provider) => Promise.all(Array.from({ length: 8 }, () => it.check(signal))),
        (it: Provider) => Promise.all(Array.from({ length: 8 }, () => it.upload(uploadOf(10, 1)))),
      ]) {
        const missing = freshBucket();
        await first(supabaseProvider({ bucket: missing }));
        const { url, secretKey } = supabase();
        const headers = { apikey: secretKey, authorization: `Bearer ${secretKey}` };
        const answer = await fetch(`${url}/storage/v1/bucket/${missing}`, { headers });
        expect(await answer.json()).toMatchObject({ id: missing, public: false });
        await dropBucket(missing);
      }
    });

    test('says so when a key is wrong, naming the variable', async () => {
      const wrong = supabaseProvider({ bucket, secretKey: 'sb_secret_wrong' });
      for (const work of [
        () => wrong.check(signal),
        () => wrong.upload(uploadOf(10, freshSeed())),
        () => wrong.delete(`${bucket}/x`, signal),
      ]) {
        const error = await thrownBy(work());
        expect(error).toMatchObject({ code: 'unauthorized', retryable: false });
        expect(error.message).toContain('SUPABASE_SECRET_KEY');
      }
      // Here Supabase does not tell a wrong key from a missing bucket. What counts: it is never "there is no such file".
      for (const work of [() => wrong.info(`${bucket}/x`, signal), () => wrong.download(`${bucket}/x`, { signal })])
        expect((await thrownBy(work())).message).toContain('SUPABASE_SECRET_KEY');
    });

    test('says so when something else answers at the address', async () => {
      proxy.inject(({ path }) => path.startsWith('/storage/v1/bucket/'), { kind: 'answer', status: 200, body: 'welcome' });
      const error = await thrownBy(provider.check(signal));
      expect(error).toMatchObject({ code: 'unexpected_answer', retryable: false });
      expect(error.message).toContain('SUPABASE_URL');
    });
  });

  test('never lets the secret key out, even where the server repeats it', async () => {
    const canary = 'sb_secret_CANARY_do_not_leak';
    const provider = supabaseProvider({ url: proxy.url, bucket, secretKey: canary, timeouts: SHORT, maxRetryAttempts: 1 });
    const repeating = { statusCode: '400', error: canary, message: `no rights for ${canary}`, apikey: canary };
    const faults: Fault[] = [
      { kind: 'answer', status: 400, body: repeating },
      { kind: 'answer', status: 401, body: repeating },
      { kind: 'answer', status: 500, body: `plain ${canary}` },
      { kind: 'reset-request', afterBytes: 0 },
      { kind: 'drop-answer' },
      { kind: 'hang' },
    ];
    for (const fault of faults) {
      proxy.inject(() => true, fault, fault);
      const error = await thrownBy(provider.upload(uploadOf(10, freshSeed())));
      expect(error).toBeInstanceOf(FileManagementError);
      const shown = inspect(error, { depth: 10, showHidden: true }) + JSON.stringify(error) + String(error) + error.stack;
      expect(shown).not.toContain('CANARY');
      proxy.reset();
    }
    expect(inspect(provider, { depth: 10, showHidden: true }) + JSON.stringify(provider)).not.toContain('CANARY');
  });
});
