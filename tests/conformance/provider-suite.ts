import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FileNotFoundError, UploadError, ValidationError } from '../../src/domain/errors.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { drain, freshSeed, MIB, pattern, patternBody, sha256Of, uploadOf } from '../support/bodies.ts';

export interface ProviderUnderTest {
  provider: Provider;
  close(): Promise<void>;
}

const signal = new AbortController().signal;

/** What every provider promises. `open` is given the largest file to allow. */
export function describeProvider(name: string, open: (maxFileBytes: number) => Promise<ProviderUnderTest>): void {
  describe(name, () => {
    let under: ProviderUnderTest;
    let provider: Provider;
    beforeAll(async () => {
      under = await open(200 * MIB);
      provider = under.provider;
      await provider.check(signal);
    });
    afterAll(() => under?.close());

    describe('gives back byte for byte', () => {
      test.each([
        ['0 bytes', 0],
        ['1 byte', 1],
        ['4 KiB', 4096],
        ['5 MiB + 1', 5 * MIB + 1],
        ['100 MiB', 100 * MIB],
      ])('a file of %s', async (_, sizeBytes) => {
        const request = uploadOf(sizeBytes, freshSeed(), { mimeType: 'text/plain' });
        const stored = await provider.upload(request);
        expect(stored).toMatchObject({ sizeBytes, id: provider.idOf(request.sha256, 'live') });
        expect(await provider.info(stored.id, signal)).toMatchObject({ id: stored.id, sizeBytes, mimeType: 'text/plain' });
        const download = await provider.download(stored.id, { signal });
        expect(download.sizeBytes).toBe(sizeBytes);
        expect(await drain(download.chunks)).toEqual({ sizeBytes, sha256: request.sha256 });
        await provider.delete(stored.id, signal);
      });

      test.each(['multipart/form-data; boundary=x', 'multipart/mixed', 'application/json', 'text/html; charset=utf-8', 'image/svg+xml'])(
        'a file that says it is %s',
        async (mimeType) => {
          const request = uploadOf(300, freshSeed(), { mimeType });
          const { id } = await provider.upload(request);
          expect(await drain((await provider.download(id, { signal })).chunks)).toEqual({ sizeBytes: 300, sha256: request.sha256 });
        },
      );

      test.each([1, 17, 65_537])('a body that comes in chunks of %i bytes', async (chunk) => {
        const sizeBytes = 300_000;
        const seed = freshSeed();
        const whole = Buffer.concat([...pattern(sizeBytes, seed)]);
        const body = {
          sizeBytes,
          async *open(offset: number) {
            for (let first = offset; first < sizeBytes; first += chunk) yield whole.subarray(first, first + chunk);
          },
        };
        const { id, sizeBytes: stored } = await provider.upload(uploadOf(sizeBytes, seed, { body }));
        expect(stored).toBe(sizeBytes);
        expect((await drain((await provider.download(id, { signal })).chunks)).sha256).toBe(sha256Of([whole]));
      });

      test('part of a file, first and last byte included', async () => {
        const seed = freshSeed();
        const { id } = await provider.upload(uploadOf(100_000, seed));
        const whole = Buffer.concat([...pattern(100_000, seed)]);
        for (const [first, last] of [
          [0, 0],
          [65_530, 65_545],
          [99_999, 99_999],
          [10, 99_999],
        ] as const) {
          const part = await provider.download(id, { signal, range: { first, last } });
          expect(part.sizeBytes).toBe(last - first + 1);
          expect((await drain(part.chunks)).sha256).toBe(sha256Of([whole.subarray(first, last + 1)]));
        }
      });
    });

    describe('keeps contents apart and together', () => {
      test('the same content again, one after the other and at once, is one object', async () => {
        const seed = freshSeed();
        const stored = [await provider.upload(uploadOf(10_000, seed)), await provider.upload(uploadOf(10_000, seed))];
        stored.push(...(await Promise.all(Array.from({ length: 8 }, () => provider.upload(uploadOf(10_000, seed))))));
        const ids = new Set(stored.map(({ id }) => id));
        expect(ids.size).toBe(1);
        const [id = ''] = ids;
        expect((await drain((await provider.download(id, { signal })).chunks)).sha256).toBe(uploadOf(10_000, seed).sha256);
      });

      test('what a shadow comparison uploads is not what users see', async () => {
        const seed = freshSeed();
        const shadow = await provider.upload(uploadOf(100, seed, { namespace: 'shadow' }));
        const { sha256 } = uploadOf(100, seed);
        expect(shadow.id).toBe(provider.idOf(sha256, 'shadow'));
        expect(await provider.info(provider.idOf(sha256, 'live') as string, signal)).toBeNull();
      });
    });

    describe('never stores what was not expected', () => {
      const cases = [100, 2 * MIB, 13 * MIB].flatMap((sizeBytes) => [
        { how: 'has other bytes', sizeBytes, body: (seed: number) => patternBody(sizeBytes, seed + 500_000_000) },
        { how: 'has become shorter', sizeBytes, body: (seed: number) => patternBody(sizeBytes, seed, sizeBytes - 1) },
        { how: 'has become longer', sizeBytes, body: (seed: number) => patternBody(sizeBytes, seed, sizeBytes + 1) },
      ]);
      test.each(cases)('of a file of $sizeBytes bytes that $how since it was hashed', async ({ sizeBytes, body }) => {
        const seed = freshSeed();
        const request = uploadOf(sizeBytes, seed, { body: body(seed) });
        const error = await provider.upload(request).catch((thrown) => thrown);
        expect(error).toBeInstanceOf(UploadError);
        expect(error).toMatchObject({ code: 'file_changed', retryable: false });
        expect(await provider.info(provider.idOf(request.sha256, 'live') as string, signal)).toBeNull();
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
        const request = uploadOf(MIB, seed, { body });
        await expect(provider.upload(request)).rejects.toBe(failure);
        expect(await provider.info(provider.idOf(request.sha256, 'live') as string, signal)).toBeNull();
      });

      test('of a file that is too large, of which it does not read a byte', async () => {
        const body = patternBody(200 * MIB + 1, 1);
        const error = await provider.upload(uploadOf(0, 1, { body })).catch((thrown) => thrown);
        expect(error).toBeInstanceOf(ValidationError);
        expect(error).toMatchObject({ code: 'file_too_large', retryable: false });
        expect(error.message).toContain(String(200 * MIB));
        expect(body.opened).toEqual([]);
      });
    });

    describe('says plainly that a file is not there', () => {
      const id = () => provider.idOf('0'.repeat(64), 'live') as string;
      test('info is null', async () => expect(await provider.info(id(), signal)).toBeNull());
      test('download throws FileNotFoundError', async () => {
        await expect(provider.download(id(), { signal })).rejects.toBeInstanceOf(FileNotFoundError);
      });
      test('delete is true once and false from then on', async () => {
        const stored = await provider.upload(uploadOf(10, freshSeed()));
        expect(await provider.delete(stored.id, signal)).toBe(true);
        expect(await provider.delete(stored.id, signal)).toBe(false);
        expect(await provider.info(stored.id, signal)).toBeNull();
      });
      test.each(['', 'x', 'bucket/', '/key', 'bucket/../other/key', 'bucket/a/./b', 'bucket//key'])(
        '%j is refused as an id',
        async (bad) => {
          const calls = [() => provider.info(bad, signal), () => provider.download(bad, { signal }), () => provider.delete(bad, signal)];
          for (const call of calls) await expect(call()).rejects.toMatchObject({ name: 'ValidationError', code: 'invalid_id' });
        },
      );
    });

    describe('stops at once', () => {
      const reason = new Error('the operator said stop');
      test('before it begins, with the reason of the signal', async () => {
        const aborted = AbortSignal.abort(reason);
        const body = patternBody(100, 1);
        await expect(provider.upload(uploadOf(100, 1, { body, signal: aborted }))).rejects.toBe(reason);
        await expect(provider.info(provider.idOf('0'.repeat(64), 'live') as string, aborted)).rejects.toBe(reason);
        expect(body.opened).toEqual([]);
      });

      test.each([3 * MIB, 20 * MIB])('in the middle of an upload of %i bytes, which leaves no object', async (sizeBytes) => {
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
        const request = uploadOf(sizeBytes, seed, { body, signal: controller.signal });
        await expect(provider.upload(request)).rejects.toBe(reason);
        expect(await provider.info(provider.idOf(request.sha256, 'live') as string, signal)).toBeNull();
      });

      test('in the middle of a download', async () => {
        const { id } = await provider.upload(uploadOf(20 * MIB, freshSeed()));
        const controller = new AbortController();
        const download = await provider.download(id, { signal: controller.signal });
        const reading = (async () => {
          for await (const _ of download.chunks) controller.abort(reason);
        })();
        await expect(reading).rejects.toBe(reason);
        await provider.delete(id, signal);
      });
    });

    test('reports progress that grows, ends with the size, and does not flood', async () => {
      const seen: number[] = [];
      const started = performance.now();
      await provider.upload(uploadOf(30 * MIB, freshSeed(), { onProgress: (bytes) => seen.push(bytes) }));
      const seconds = (performance.now() - started) / 1000;
      expect(seen.at(-1)).toBe(30 * MIB);
      expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
      expect(seen.length).toBeLessThanOrEqual(2 + 4 * seconds);
    });

    test('lists every object below a prefix once, with its size, page by page', async () => {
      const uploads = Array.from({ length: 250 }, () => uploadOf(20, freshSeed(), { namespace: 'shadow' }));
      for (let first = 0; first < uploads.length; first += 25)
        await Promise.all(uploads.slice(first, first + 25).map((upload) => provider.upload(upload)));
      const ids: string[] = [];
      for await (const page of provider.list({ under: scope('shadow/'), signal }))
        for (const { id, sizeBytes } of page) {
          ids.push(id);
          expect(sizeBytes).toBeGreaterThan(0);
        }
      expect(new Set(ids).size).toBe(ids.length);
      const expected = uploads.map(({ sha256 }) => provider.idOf(sha256, 'shadow') as string);
      expect(expected.filter((id) => !ids.includes(id))).toEqual([]);

      const [id = ''] = expected;
      const prefix = id.slice(id.indexOf('/') + 1, -60);
      for await (const page of provider.list({ prefix, signal }))
        for (const found of page) expect(found.id.slice(id.indexOf('/') + 1).startsWith(prefix)).toBe(true);
      await Promise.all(expected.map((each) => provider.delete(each, signal)));
    });

    test('can be checked by several workers at once', async () => {
      await Promise.all(Array.from({ length: 5 }, () => provider.check(signal)));
    });
  });
}
