import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ProviderUnavailableError } from '../../src/domain/errors.ts';
import type { Provider, StoredObject, UploadRequest } from '../../src/providers/provider.ts';
import { drain, freshSeed, MIB } from '../support/bodies.ts';
import { type Fault, type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { SHORT } from '../support/timeouts.ts';
import { objectsOf, readable, samplesFor } from '../support/vendor-samples.ts';
import type { StartVendor, VendorUnderTest } from './provider-suite.ts';

const signal = new AbortController().signal;

/** What happens on a bad day: a proxy in front of the vendor's server misbehaves. There is one object in the end, and the right one. */
export function describeFaults(start: StartVendor): void {
  let vendor: VendorUnderTest;
  let proxy: FaultProxy;
  /** Through the proxy. */
  let provider: Provider;
  /** The server itself, to see what is really there. */
  let direct: Provider;
  let samples: ReturnType<typeof samplesFor>;
  const surplus: string[] = [];
  beforeAll(async () => {
    vendor = await start();
    samples = samplesFor(vendor);
    direct = vendor.connect();
    await direct.check(signal);
    if (vendor.url === null) return;
    proxy = await startFaultProxy(vendor.url, { keepHost: true });
    provider = vendor.connect({ url: proxy.url, timeouts: SHORT, onSurplus: (id) => surplus.push(id) });
  }, 300_000);
  beforeEach(({ skip }) => {
    if (vendor.url === null) skip('there is no server to misbehave');
    proxy.reset();
    surplus.length = 0;
  });
  afterAll(async () => {
    await proxy?.close();
    await vendor?.close();
  });
  const uploads = () => proxy.seen.filter((request) => vendor.isUpload(request));
  const thrownBy = (work: Promise<unknown>) =>
    work.then(
      () => expect.unreachable('should have failed'),
      (error) => error,
    );
  async function expectOne(request: UploadRequest, stored: StoredObject): Promise<void> {
    const objects = await objectsOf(direct, request);
    expect(objects).toMatchObject([{ id: stored.id, sizeBytes: request.body.sizeBytes }]);
    if (readable(direct, stored)) expect((await drain((await direct.download(stored.id, { signal })).chunks)).sha256).toBe(request.sha256);
  }

  describe('makes one whole object', () => {
    const body = { message: 'not now' };
    test.each<[string, number, Fault]>([
      ['429 without Retry-After', 4096, { kind: 'answer', status: 429, body }],
      ['429 with Retry-After', 4096, { kind: 'answer', status: 429, headers: { 'retry-after': '1' }, body }],
      ['500', 4096, { kind: 'answer', status: 500, body }],
      ['502 with a web page', 4096, { kind: 'answer', status: 502, headers: { 'content-type': 'text/html' }, body: '<html>' }],
      ['a reset in the middle of the request', 5 * MIB, { kind: 'reset-request', afterBytes: 2 * MIB }],
      ['an answer that breaks off in the middle', 4096, { kind: 'reset-answer', afterBytes: 1 }],
      ['an answer dropped after the server has acted', 4096, { kind: 'drop-answer' }],
      ['an answer dropped after the server took a large file', 3 * MIB, { kind: 'drop-answer' }],
      ['a server that stops reading', 18 * MIB, { kind: 'stall-request', afterBytes: MIB }],
      ['a server that never answers', 4096, { kind: 'hang' }],
    ])(
      'after %s',
      async (_, sizeBytes, fault) => {
        if (vendor.bytesUnseen && fault.kind === 'stall-request') return;
        const request = samples.upload(samples.atMost(sizeBytes), freshSeed());
        proxy.inject(vendor.isUpload, fault);
        const started = performance.now();
        const stored = await provider.upload(request);
        expect(uploads().length).toBeGreaterThanOrEqual(1);
        if (fault.kind === 'answer' && fault.headers?.['retry-after'] === '1')
          expect(performance.now() - started).toBeGreaterThanOrEqual(1000);
        await expectOne(request, stored);
      },
      30_000,
    );

    test('when the server took a request after its connection broke and after we looked for it', async ({ skip }) => {
      if (vendor.oneAddressForEachUpload) skip('each upload has an address of its own there');
      const request = samples.upload(4096, freshSeed());
      proxy.inject(vendor.isUpload, { kind: 'commit-with-next' });
      const stored = await provider.upload(request);
      await expectOne(request, stored);
      if (direct.idOf(request.sha256, 'live') === null) expect(surplus).toHaveLength(1);
    });

    test('when a worker died after the server had acted, and another begins again', async () => {
      const request = samples.upload(4096, freshSeed());
      const first = await direct.upload(request);
      const again = await provider.upload({ ...request, retried: true });
      expect(again.id).toBe(first.id);
      expect(uploads()).toEqual([]);
      await expectOne(request, again);
    });
  });

  describe('gives up', () => {
    test('at once when Retry-After is beyond its time, saying when it can help', async () => {
      proxy.inject(vendor.isUpload, { kind: 'answer', status: 429, headers: { 'retry-after': '3600' } });
      const error = await thrownBy(provider.upload(samples.upload(10, freshSeed())));
      expect(error).toBeInstanceOf(ProviderUnavailableError);
      expect(error).toMatchObject({ code: 'rate_limited', retryable: true, retryAfterMs: 60_000 });
      expect(uploads()).toHaveLength(1);
    });

    test.each([0, 2])(
      'after %i retries where no more are allowed',
      async (maxRetryAttempts) => {
        const few = vendor.connect({ url: proxy.url, timeouts: SHORT, maxRetryAttempts });
        proxy.inject(vendor.isUpload, ...Array.from({ length: 5 }, () => ({ kind: 'answer', status: 503 }) as const));
        const error = await thrownBy(few.upload(samples.upload(10, freshSeed())));
        expect(error).toMatchObject({ name: 'ProviderUnavailableError', retryable: true });
        expect(uploads()).toHaveLength(maxRetryAttempts + 1);
      },
      30_000,
    );

    test('a small call that is never answered, after the time of a small call', async () => {
      const { id } = await direct.upload(samples.upload(10, freshSeed()));
      const hasty = vendor.connect({ url: proxy.url, maxRetryAttempts: 0, timeouts: { ...SHORT, callMs: 300 } });
      proxy.inject(vendor.isInfo, { kind: 'hang' });
      const started = performance.now();
      const error = await thrownBy(hasty.info(id, signal));
      expect(error).toMatchObject({ name: 'ProviderUnavailableError', code: 'timeout', retryable: true });
      expect(performance.now() - started).toBeLessThan(2500);
    });
  });

  describe('reads back', () => {
    async function storedFile(sizeBytes: number) {
      const request = samples.upload(samples.atMost(sizeBytes), freshSeed());
      const stored = await direct.upload(request);
      return { request, stored, canRead: readable(direct, stored) };
    }
    test.each<[string, Fault]>([
      ['a reset in the middle', { kind: 'reset-answer', afterBytes: 3 * MIB }],
      ['an answer that stops', { kind: 'stall-answer', afterBytes: 3 * MIB }],
      ['500', { kind: 'answer', status: 500 }],
    ])(
      'the right bytes once after %s',
      async (_, fault) => {
        const { request, stored, canRead } = await storedFile(5 * MIB);
        if (!canRead || (vendor.bytesUnseen && fault.kind === 'stall-answer')) return;
        proxy.inject(vendor.isDownload, fault);
        const { chunks } = await provider.download(stored.id, { signal });
        expect(await drain(chunks)).toEqual({ sizeBytes: request.body.sizeBytes, sha256: request.sha256 });
      },
      20_000,
    );

    test('an error instead of fewer bytes than were announced', async () => {
      const { stored, canRead } = await storedFile(1000);
      if (!canRead) return;
      proxy.inject(vendor.isDownload, ...Array.from({ length: 8 }, () => ({ kind: 'promise-more', bytes: 10 }) as const));
      const error = await thrownBy(provider.download(stored.id, { signal }).then(({ chunks }) => drain(chunks)));
      expect(error).toMatchObject({ name: 'DownloadError', retryable: true });
    }, 20_000);

    test('an error instead of a trickle that is slower than the slowest rate', async () => {
      const { stored, canRead } = await storedFile(100_000);
      if (!canRead) return;
      const strict = vendor.connect({
        url: proxy.url,
        maxRetryAttempts: 0,
        timeouts: { callMs: 700, idleMs: 500, minBytesPerSecond: 1_000_000 },
      });
      proxy.inject(vendor.isDownload, { kind: 'trickle-answer', everyMs: 5 });
      const error = await thrownBy(strict.download(stored.id, { signal }).then(({ chunks }) => drain(chunks)));
      expect(error).toMatchObject({ code: 'timeout', retryable: true });
    });
  });

  test('stops the socket within a second when told to, also while nobody answers', async () => {
    const reason = new Error('stop');
    const controller = new AbortController();
    proxy.inject(vendor.isUpload, { kind: 'hang' });
    const request = samples.upload(10, freshSeed(), { signal: controller.signal });
    const uploading = provider.upload(request).catch((error) => error);
    await expect.poll(() => uploads().length, { timeout: 5000, interval: 10 }).toBe(1);
    const stoppedAt = Date.now();
    controller.abort(reason);
    expect(await uploading).toBe(reason);
    expect(Date.now() - stoppedAt).toBeLessThan(1000);
    await expect.poll(() => uploads()[0]?.abandonedAt ?? 0, { timeout: 1000, interval: 20 }).toBeGreaterThanOrEqual(stoppedAt);
    expect(await objectsOf(direct, request)).toEqual([]);
  });
}
