import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FileNotFoundError, UploadError, ValidationError } from '../../src/domain/errors.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { drain, freshSeed, MIB, pattern, patternBody } from '../support/bodies.ts';
import { identityOf, objectsOf, readable, samplesFor } from '../support/vendor-samples.ts';
import type { StartVendor, VendorUnderTest } from './provider-suite.ts';

const signal = new AbortController().signal;

/** What is refused, what is not there, and what is stopped: nothing is left behind. */
export function describeRefusals(start: StartVendor): void {
  let vendor: VendorUnderTest;
  let provider: Provider;
  let samples: ReturnType<typeof samplesFor>;
  beforeAll(async () => {
    vendor = await start();
    provider = vendor.connect();
    samples = samplesFor(vendor);
    await provider.check(signal);
  }, 300_000);
  afterAll(() => vendor?.close());

  describe('never stores what was not expected', () => {
    const cases = [100, 2 * MIB, 13 * MIB].flatMap((sizeBytes) => [
      { how: 'has other bytes', sizeBytes, body: (seed: number) => patternBody(sizeBytes, seed + 500_000_000) },
      { how: 'has become shorter', sizeBytes, body: (seed: number) => patternBody(sizeBytes, seed, sizeBytes - 1) },
      { how: 'has become longer', sizeBytes, body: (seed: number) => patternBody(sizeBytes, seed, sizeBytes + 1) },
    ]);
    test.each(cases)('of a file of $sizeBytes bytes that $how since it was hashed', async ({ sizeBytes, body }) => {
      const seed = freshSeed();
      const request = samples.upload(sizeBytes, seed, { body: body(seed) });
      const error = await provider.upload(request).catch((thrown) => thrown);
      expect(error).toBeInstanceOf(UploadError);
      expect(error).toMatchObject({ code: 'file_changed', retryable: false });
      expect(await objectsOf(provider, request)).toEqual([]);
    });

    test('of a source that fails on the way, whose error is passed on as it is', async () => {
      const seed = freshSeed();
      const failure = new ValidationError('the file cannot be read', { code: 'file_unreadable' });
      const body = {
        sizeBytes: MIB,
        async *open() {
          yield* pattern(500_000, seed);
          throw failure;
        },
      };
      const request = samples.upload(MIB, seed, { body });
      await expect(provider.upload(request)).rejects.toBe(failure);
      expect(await objectsOf(provider, request)).toEqual([]);
    });

    test('of a file that is too large, of which it does not read a byte, and names the limit', async () => {
      const small = vendor.connect({ maxFileBytes: 1000 });
      const body = patternBody(1001, 1);
      const error = await small.upload(samples.upload(0, 1, { body })).catch((thrown) => thrown);
      expect(error).toBeInstanceOf(ValidationError);
      expect(error).toMatchObject({ code: 'file_too_large', retryable: false });
      expect(error.message).toContain('1000');
      expect(body.opened).toEqual([]);
    });

    test('of a file with an extension that its purpose does not take, where that matters', async () => {
      if (provider.capabilities.purposes === null) return;
      if (Object.values(provider.capabilities.purposes).some(({ extensions, uses }) => extensions === null && uses.includes('storage')))
        return;
      const body = patternBody(100, 1);
      const error = await provider.upload(samples.upload(100, 1, { body, name: 'program.exe' })).catch((thrown) => thrown);
      expect(error).toMatchObject({ name: 'ValidationError', code: 'extension_not_supported' });
      expect(error.message).toContain('.exe');
      expect(body.opened).toEqual([]);
    });
  });

  test('says which variable to look at when its key is wrong', async () => {
    if (vendor.url === null) return;
    const wrong = vendor.connect({ key: 'wrong' });
    const calls = [
      () => wrong.check(signal),
      () => wrong.upload(samples.upload(10, freshSeed())),
      async () => {
        for await (const _ of wrong.list({ signal }));
      },
    ];
    for (const call of calls) {
      const error = await call().then(
        () => expect.unreachable('should have been refused'),
        (thrown) => thrown,
      );
      expect(error).toMatchObject({ code: 'unauthorized', retryable: false, provider: provider.name });
      expect(error.message).toMatch(/[A-Z0-9]+_[A-Z_]*KEY/);
    }
  });

  describe('says plainly that a file is not there', () => {
    /** An id that was once given and is gone: unknown, and in the vendor's own form. */
    async function goneId(): Promise<string> {
      const stored = await provider.upload(samples.upload(10, freshSeed()));
      expect(await provider.delete(stored.id, signal)).toBe(true);
      return stored.id;
    }
    test('info is null', async () => expect(await provider.info(await goneId(), signal)).toBeNull());
    test('download throws FileNotFoundError, or says that it never gives files back', async () => {
      const error = await provider.download(await goneId(), { signal }).catch((thrown) => thrown);
      if (error instanceof FileNotFoundError) return;
      expect(error).toMatchObject({ name: 'ValidationError', code: 'not_downloadable' });
    });
    test('delete is true once and false from then on', async () => expect(await provider.delete(await goneId(), signal)).toBe(false));

    test.each(['', '..', '../x', 'bucket/../other/key', 'a?b=c/../d'])('%j is refused as an id', async (bad) => {
      const calls = [() => provider.info(bad, signal), () => provider.download(bad, { signal }), () => provider.delete(bad, signal)];
      for (const call of calls) await expect(call()).rejects.toMatchObject({ name: 'ValidationError' });
      for (const call of [calls[0], calls[2]]) await expect(call?.()).rejects.toMatchObject({ code: 'invalid_id' });
    });
  });

  describe('stops at once', () => {
    const reason = new Error('the operator said stop');
    test('before it begins, with the reason of the signal', async () => {
      const aborted = AbortSignal.abort(reason);
      const body = patternBody(100, 1);
      const { id } = await provider.upload(samples.upload(10, freshSeed()));
      await expect(provider.upload(samples.upload(100, 1, { body, signal: aborted }))).rejects.toBe(reason);
      await expect(provider.info(id, aborted)).rejects.toBe(reason);
      expect(body.opened).toEqual([]);
    });

    test.each([3 * MIB, 20 * MIB])('in the middle of an upload of %i bytes, which leaves no object', async (wanted) => {
      const sizeBytes = samples.atMost(wanted);
      const seed = freshSeed();
      const controller = new AbortController();
      const body = {
        sizeBytes,
        async *open(offset: number) {
          for (const chunk of pattern(sizeBytes, seed, offset)) {
            yield chunk;
            if (chunk.readDoubleLE(4) > sizeBytes / 2) controller.abort(reason);
          }
        },
      };
      const request = samples.upload(sizeBytes, seed, { body, signal: controller.signal });
      await expect(provider.upload(request)).rejects.toBe(reason);
      expect(await provider.find(identityOf(request), signal)).toBeNull();
    });

    test('in the middle of a download', async () => {
      const stored = await provider.upload(samples.upload(samples.atMost(20 * MIB), freshSeed()));
      if (!readable(provider, stored)) return;
      const controller = new AbortController();
      const download = await provider.download(stored.id, { signal: controller.signal });
      const reading = (async () => {
        for await (const _ of download.chunks) controller.abort(reason);
      })();
      await expect(reading).rejects.toBe(reason);
      await provider.delete(stored.id, signal);
    });

    test('and gives a download that nobody reads to its end no bytes more', async () => {
      const stored = await provider.upload(samples.upload(samples.atMost(5 * MIB), freshSeed()));
      if (!readable(provider, stored)) return;
      const { chunks } = await provider.download(stored.id, { signal });
      for await (const _ of chunks) break;
      expect((await drain((await provider.download(stored.id, { signal })).chunks)).sizeBytes).toBe(stored.sizeBytes);
    });
  });
}
