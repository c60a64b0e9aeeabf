import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { ProviderUnavailableError, UploadError, ValidationError } from '../../src/domain/errors.ts';
import { type GuardStatus, guarded } from '../../src/providers/guard.ts';
import type { Provider, StoredPage } from '../../src/providers/provider.ts';
import { drain, freshSeed, uploadOf } from '../support/bodies.ts';
import { createMemoryProvider } from '../support/memory-provider.ts';

const signal = new AbortController().signal;
const down = (provider = 'memory') => new ProviderUnavailableError('down', { code: 'unavailable', retryable: true, provider });

function guard(options: { failures?: number; openMs?: number } = {}) {
  const provider = createMemoryProvider();
  const seen: GuardStatus[] = [];
  const it = guarded(provider, { failures: 3, openMs: 60_000, onChange: (status) => seen.push(status), ...options });
  const fail = (times: number, error: Error) => {
    for (let at = 0; at < times; at += 1) provider.failNext('info', error);
  };
  const info = () => it.info('memory/x', signal);
  const thrown = () => info().catch((error: unknown) => error);
  return { provider, it, seen, fail, info, thrown };
}

async function pagesOf(it: Provider): Promise<StoredPage[]> {
  const pages: StoredPage[] = [];
  for await (const page of it.list({ signal })) pages.push(page);
  return pages;
}

describe('A circuit', () => {
  test('opens after so many outages in a row: calls then fail at once, and say when to come back', async () => {
    const { it, fail, thrown, provider } = guard();
    fail(3, down());
    for (let at = 0; at < 3; at += 1) expect(await thrown()).toMatchObject({ code: 'unavailable' });
    const error = await thrown();
    expect(error).toBeInstanceOf(ProviderUnavailableError);
    expect(error).toMatchObject({ code: 'circuit_open', retryable: true, provider: 'memory' });
    expect((error as ProviderUnavailableError).retryAfterMs).toBeGreaterThan(50_000);
    expect((error as Error).message).toMatch(/failed 3 times in a row.*left alone for \d+ s.*down/);
    const upload = uploadOf(10, freshSeed());
    await expect(it.upload(upload)).rejects.toMatchObject({ code: 'circuit_open' });
    await expect(it.list({ signal })[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'circuit_open' });
    expect(provider.counts.uploads).toBe(0);
    expect(it.status()).toMatchObject({ circuit: 'open', lastError: { code: 'unavailable' } });
  });

  test('is tried after its time, and closes when that goes well', async () => {
    const { it, fail, info, thrown } = guard({ failures: 1, openMs: 50 });
    fail(1, down());
    await thrown();
    expect(it.status().circuit).toBe('open');
    await sleep(60);
    expect(await info()).toBeNull();
    expect(it.status().circuit).toBe('closed');
  });

  test('opens again at the next outages', async () => {
    const { it, fail, thrown } = guard({ failures: 1, openMs: 50 });
    fail(2, down());
    await thrown();
    await sleep(60);
    expect(await thrown()).toMatchObject({ code: 'unavailable' });
    expect(it.status().circuit).toBe('open');
  });

  test.each<[string, Error]>([
    ["the caller's mistakes", new ValidationError('no', { code: 'invalid_id', provider: 'memory' })],
    ['refusals', new UploadError('no', { code: 'unauthorized', provider: 'memory' })],
    [
      'an answer that asks to slow down',
      new ProviderUnavailableError('later', { code: 'rate_limited', retryable: true, provider: 'memory' }),
    ],
    ['aborts', new DOMException('stop', 'AbortError')],
    ['troubles of the place that the bytes come from', down('elsewhere')],
  ])('does not open by %s', async (_, error) => {
    const { it, fail, thrown } = guard({ failures: 2 });
    fail(10, error);
    for (let at = 0; at < 10; at += 1) expect(await thrown()).toBe(error);
    expect(it.status().circuit).toBe('closed');
  });

  test('counts outages in a row: a success between them begins anew', async () => {
    const { it, fail, info, thrown } = guard({ failures: 2 });
    for (let at = 0; at < 4; at += 1) {
      fail(1, down());
      await thrown();
      await info();
    }
    expect(it.status().circuit).toBe('closed');
  });

  test('counts a download that breaks off in the middle', async () => {
    const { provider, it } = guard({ failures: 1 });
    const { id } = await it.upload(uploadOf(10, freshSeed()));
    provider.download = async () => ({
      sizeBytes: 10,
      mimeType: null,
      chunks: (async function* () {
        yield Buffer.alloc(5);
        throw down();
      })(),
    });
    const { chunks } = await it.download(id, { signal });
    await expect(drain(chunks)).rejects.toMatchObject({ code: 'unavailable' });
    expect(it.status().circuit).toBe('open');
  });

  test('counts downloads that break off in a row, although each of them has begun well', async () => {
    const { provider, it } = guard({ failures: 3 });
    provider.download = async () => ({
      sizeBytes: 10,
      mimeType: null,
      chunks: (async function* () {
        yield Buffer.alloc(5);
        throw down();
      })(),
    });
    for (let at = 0; at < 3; at += 1) {
      expect(it.status().circuit).toBe('closed');
      await expect(it.download('memory/a', { signal }).then(({ chunks }) => drain(chunks))).rejects.toThrow('down');
    }
    expect(it.status().circuit).toBe('open');
  });

  test('lets a listing through after its time, too, and a page that came begins the count anew', async () => {
    const { it, fail, thrown, provider } = guard({ failures: 2, openMs: 50 });
    fail(2, down());
    await thrown();
    await thrown();
    await sleep(60);
    expect(await pagesOf(it)).toEqual([]);
    expect(it.status().circuit).toBe('closed');
    await it.upload(uploadOf(10, freshSeed()));
    fail(1, down());
    await thrown();
    expect(await pagesOf(it)).toHaveLength(1);
    provider.failNext('list', down());
    await expect(pagesOf(it)).rejects.toThrow('down');
    expect(it.status().circuit).toBe('closed');
  });

  test('is tried by a call that nobody can abort: who gives up waiting neither closes it nor stops the others', async () => {
    const { it, provider, fail, thrown, info } = guard({ failures: 1, openMs: 50 });
    fail(1, down());
    await thrown();
    await sleep(60);
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
    provider.check = () => answered;
    const impatient = new AbortController();
    const first = it.info('memory/x', impatient.signal).catch((error: unknown) => error);
    const second = info();
    impatient.abort(new Error('given up'));
    expect(await first).toMatchObject({ message: 'given up' });
    expect(it.status().circuit).toBe('half_open');
    answer();
    expect(await second).toBeNull();
    expect(it.status().circuit).toBe('closed');
  });

  test('keeps everybody away while a trial fails', async () => {
    const { it, provider, fail, thrown } = guard({ failures: 1, openMs: 50 });
    fail(1, down());
    await thrown();
    await sleep(60);
    provider.failNext('check', down());
    expect((await Promise.all([thrown(), thrown(), thrown()])).map((error) => (error as ProviderUnavailableError).code)).toEqual([
      'circuit_open',
      'circuit_open',
      'circuit_open',
    ]);
    expect(it.status()).toMatchObject({ circuit: 'open', since: expect.any(String) });
  });

  test("does not take the caller's mistakes for its last error", async () => {
    const { it, fail, thrown } = guard();
    fail(1, new ValidationError('no', { code: 'invalid_id', provider: 'memory' }));
    await thrown();
    expect(it.status().lastError).toBeNull();
  });

  test('tells of each change and each new error', async () => {
    const { fail, thrown, seen } = guard({ failures: 2 });
    fail(2, down());
    await thrown();
    await thrown();
    expect(seen.map(({ circuit }) => circuit)).toContain('open');
    expect(seen.at(-1)?.lastError).toMatchObject({ code: 'unavailable', message: 'down' });
  });
});

describe('A quota', () => {
  function limited(files: number | null, bytes: number | null) {
    const inner = createMemoryProvider();
    const provider = Object.assign(inner, { capabilities: { ...inner.capabilities, quota: { files, bytes } } });
    const told: string[] = [];
    const it = guarded(provider, {
      failures: 3,
      openMs: 1000,
      onNearlyFull: ({ kind, used, limit }) => told.push(`${kind} ${used}/${limit}`),
    });
    return { it, inner, told };
  }

  test('is refused before a byte is read, with the limit and what to do', async () => {
    const { it, inner } = limited(2, null);
    await it.upload(uploadOf(10, freshSeed()));
    await it.upload(uploadOf(10, freshSeed()));
    const error = await it.upload(uploadOf(10, freshSeed())).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'UploadError', code: 'quota_exceeded', retryable: false });
    expect((error as Error).message).toMatch(/memory holds 2 files, and at most 2 are allowed: delete some/);
    expect(inner.counts.uploads).toBe(2);
  });

  test('is refused also to uploads that begin at the same time', async () => {
    const { it, inner } = limited(3, null);
    const ended = await Promise.allSettled(Array.from({ length: 8 }, () => it.upload(uploadOf(10, freshSeed()))));
    expect(ended.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    expect(inner.objects.size).toBe(3);
  });

  test('has the room again that an upload did not need after all', async () => {
    const { it, inner } = limited(1, null);
    inner.failNext('upload', new UploadError('no', { code: 'rejected', provider: 'memory' }));
    await expect(it.upload(uploadOf(10, freshSeed()))).rejects.toMatchObject({ code: 'rejected' });
    await it.upload(uploadOf(10, freshSeed()));
  });

  test('does not refuse what an earlier attempt has left there: it is taken', async () => {
    const { it, inner } = limited(1, null);
    const upload = uploadOf(10, freshSeed());
    const left = await inner.upload(upload);
    expect(await it.upload({ ...upload, retried: true })).toMatchObject({ id: left.id });
    expect(inner.counts.uploads).toBe(1);
  });

  test('is counted once for all who wait for it; one who gives up does not end it for the others', async () => {
    const { it, inner } = limited(5, null);
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    let counts = 0;
    inner.list = async function* () {
      counts += 1;
      await gate;
      yield { objects: [], next: null };
    };
    const impatient = new AbortController();
    const first = it.upload({ ...uploadOf(10, freshSeed()), signal: impatient.signal }).catch((error: unknown) => error);
    const second = it.upload(uploadOf(10, freshSeed()));
    impatient.abort(new Error('given up'));
    expect(await first).toMatchObject({ message: 'given up' });
    open();
    await second;
    expect([counts, inner.objects.size]).toEqual([1, 1]);
  });

  test('counts what others have put there, and bytes', async () => {
    const { it, inner } = limited(null, 100);
    await inner.upload(uploadOf(60, freshSeed()));
    await expect(it.upload(uploadOf(41, freshSeed()))).rejects.toMatchObject({ code: 'quota_exceeded' });
    await it.upload(uploadOf(40, freshSeed()));
    expect(await it.held(signal)).toMatchObject({ files: 2, bytes: 100 });
  });

  test('warns once when four fifths are used', async () => {
    const { it, told } = limited(5, null);
    for (let at = 0; at < 5; at += 1) await it.upload(uploadOf(10, freshSeed()));
    expect(told).toEqual(['files 4/5']);
  });

  test('is room again after a deletion', async () => {
    const { it } = limited(1, null);
    const { id } = await it.upload(uploadOf(10, freshSeed()));
    await it.delete(id, signal);
    await it.upload(uploadOf(10, freshSeed()));
  });

  test('costs nothing where none is documented', async () => {
    const { it, inner } = limited(null, null);
    inner.failNext('list', down());
    await it.upload(uploadOf(10, freshSeed()));
    expect(await it.held(signal)).toBeNull();
  });
});
