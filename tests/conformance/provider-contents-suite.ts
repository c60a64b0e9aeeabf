import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Provider, StoredObject } from '../../src/providers/provider.ts';
import { drain, freshSeed, MIB, pattern, sha256Of } from '../support/bodies.ts';
import { identityOf, objectsOf, readable, samplesFor } from '../support/vendor-samples.ts';
import type { StartVendor, VendorUnderTest } from './provider-suite.ts';

const signal = new AbortController().signal;

/** What goes in comes out: contents, names, pages. */
export function describeContents(start: StartVendor): void {
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

  /** The bytes are those that were sent; where originals are not given back, that is said, and the size is what can be seen. */
  async function expectStored(stored: StoredObject, sizeBytes: number, sha256: string): Promise<void> {
    expect(await provider.info(stored.id, signal)).toMatchObject({ id: stored.id, sizeBytes });
    if (!readable(provider, stored)) {
      await expect(provider.download(stored.id, { signal })).rejects.toMatchObject({ name: 'ValidationError', code: 'not_downloadable' });
      return;
    }
    const download = await provider.download(stored.id, { signal });
    expect(await drain(download.chunks)).toEqual({ sizeBytes, sha256 });
    expect(download.sizeBytes).toBe(sizeBytes);
  }

  describe('keeps byte for byte', () => {
    test.each([
      ['1 byte', 1],
      ['4 KiB', 4096],
      ['5 MiB', 5 * MIB],
      ['5 MiB + 1', 5 * MIB + 1],
      ['100 MiB, or the largest it takes', 100 * MIB],
    ])('a file of %s', async (_, wanted) => {
      const sizeBytes = samples.atMost(wanted);
      const request = samples.upload(sizeBytes, freshSeed(), { mimeType: 'text/plain' });
      const stored = await provider.upload(request);
      expect(stored.sizeBytes).toBe(sizeBytes);
      const id = provider.idOf(request.sha256, 'live');
      if (id !== null) expect(stored.id).toBe(id);
      await expectStored(stored, sizeBytes, request.sha256);
      expect(await provider.find(identityOf(request), signal)).toMatchObject({ id: stored.id, sizeBytes });
      expect(await provider.delete(stored.id, signal)).toBe(true);
    });

    test('and copies it under another key of its bucket, in place of what is there, where ids follow from the content', async () => {
      const { copy } = provider;
      expect(copy === undefined).toBe(provider.idOf('0'.repeat(64), 'live') === null);
      if (copy === undefined) return;
      for (const seed of [freshSeed(), freshSeed()]) {
        const request = samples.upload(5000, seed);
        const stored = await provider.upload(request);
        const bucket = stored.id.slice(0, stored.id.indexOf('/'));
        expect(await copy(stored, 'trash/a-run/of-5000-bytes', signal)).toBe(`${bucket}/trash/a-run/of-5000-bytes`);
        await expectStored({ ...stored, id: `${bucket}/trash/a-run/of-5000-bytes` }, 5000, request.sha256);
        await expectStored(stored, 5000, request.sha256);
        expect(await provider.delete(stored.id, signal)).toBe(true);
        expect(await copy(stored, 'trash/a-run/of-nothing', signal)).toBeNull();
      }
    });

    test('a file of 0 bytes, or refuses it before it is read', async () => {
      const request = samples.upload(0, freshSeed());
      if (provider.capabilities.minFileBytes > 0) {
        await expect(provider.upload(request)).rejects.toMatchObject({ name: 'ValidationError', code: 'file_empty' });
        expect(await objectsOf(provider, request)).toEqual([]);
      } else await expectStored(await provider.upload(request), 0, request.sha256);
    });

    test.each(['multipart/form-data; boundary=x', 'multipart/mixed', 'application/json', 'text/html; charset=utf-8', 'image/svg+xml'])(
      'a file that says it is %s',
      async (mimeType) => {
        const request = samples.upload(300, freshSeed(), { mimeType });
        await expectStored(await provider.upload(request), 300, request.sha256);
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
      await expectStored(await provider.upload(samples.upload(sizeBytes, seed, { body })), sizeBytes, sha256Of([whole]));
    });

    test('part of a file, first and last byte included, where it can', async () => {
      const seed = freshSeed();
      const stored = await provider.upload(samples.upload(100_000, seed));
      if (!provider.capabilities.ranges || !readable(provider, stored)) return;
      const whole = Buffer.concat([...pattern(100_000, seed)]);
      for (const [first, last] of [
        [0, 0],
        [65_530, 65_545],
        [99_999, 99_999],
        [10, 99_999],
      ] as const) {
        const part = await provider.download(stored.id, { signal, range: { first, last } });
        expect(part.sizeBytes).toBe(last - first + 1);
        expect((await drain(part.chunks)).sha256).toBe(sha256Of([whole.subarray(first, last + 1)]));
      }
    });
  });

  test.each([
    ['Unicode', 'Bericht – Übersicht 报告 🗂'],
    ['spaces', '  two  spaces  '],
    ['quotes', `"double" 'single' \\ back`],
    ['line breaks', 'first\r\nsecond\nthird'],
    ['dots', '../../etc/passwd'],
    ['nothing but dots', '..'],
    ['255 bytes', 'é'.repeat(125)],
  ])('takes a name of %s, and finds the file again', async (_, stem) => {
    const request = samples.upload(50, freshSeed(), { name: `${stem}${samples.extension}` });
    const stored = await provider.upload(request);
    expect(await provider.info(stored.id, signal)).toMatchObject({ sizeBytes: 50 });
    expect(await provider.find(identityOf(request), signal)).toMatchObject({ id: stored.id });
    expect(await objectsOf(provider, request)).toHaveLength(1);
  });

  describe('keeps contents apart and together', () => {
    test('an upload that is repeated is one object, also by several at once where ids follow from the content', async () => {
      const request = samples.upload(10_000, freshSeed());
      const stored = [await provider.upload(request), await provider.upload({ ...request, retried: true })];
      if (provider.idOf(request.sha256, 'live') !== null)
        stored.push(...(await Promise.all(Array.from({ length: 8 }, () => provider.upload(request)))));
      expect(new Set(stored.map(({ id }) => id)).size).toBe(1);
      expect(await objectsOf(provider, request)).toHaveLength(1);
      await expectStored(stored[0] as StoredObject, 10_000, request.sha256);
    });

    test('what a shadow comparison uploads is not what users see', async () => {
      const seed = freshSeed();
      const shadow = samples.upload(100, seed, { namespace: 'shadow' });
      await provider.upload(shadow);
      expect(await provider.find(identityOf(shadow), signal)).not.toBeNull();
      expect(await provider.find(identityOf(samples.upload(100, seed)), signal)).toBeNull();
    });
  });

  test('reports progress that grows, ends with the size, and does not flood', async () => {
    const sizeBytes = samples.atMost(30 * MIB);
    const seen: number[] = [];
    const started = performance.now();
    await provider.upload(samples.upload(sizeBytes, freshSeed(), { onProgress: (bytes) => seen.push(bytes) }));
    const seconds = (performance.now() - started) / 1000;
    expect(seen.at(-1)).toBe(sizeBytes);
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
    expect(seen.length).toBeLessThanOrEqual(2 + 4 * seconds);
  });

  test('lists more than 250 objects once each, with their sizes, and goes on from any page', async () => {
    const uploads = Array.from({ length: 260 }, () => samples.upload(20, freshSeed(), { namespace: 'shadow' }));
    const stored: StoredObject[] = [];
    for (let first = 0; first < uploads.length; first += 20)
      stored.push(...(await Promise.all(uploads.slice(first, first + 20).map((upload) => provider.upload(upload)))));
    const id = provider.idOf(uploads[0]?.sha256 ?? '', 'shadow');
    const under = id === null ? {} : { under: id.slice(0, id.indexOf('shadow/') + 'shadow/'.length) };
    const pages = [];
    for await (const page of provider.list({ ...under, signal })) pages.push(page);
    const listed = pages.flatMap(({ objects }) => objects);
    expect(new Set(listed.map((object) => object.id)).size).toBe(listed.length);
    const expected = new Set(stored.map((object) => object.id));
    expect(listed.filter((object) => expected.has(object.id) && object.sizeBytes === 20)).toHaveLength(260);

    // Each page's place leads to all that came behind it.
    for (const at of new Set([0, Math.floor(pages.length / 2)])) {
      const after = pages[at]?.next ?? null;
      if (after === null) continue;
      const behind: string[] = [];
      for await (const { objects } of provider.list({ ...under, after, signal })) behind.push(...objects.map((object) => object.id));
      const wanted = pages.slice(at + 1).flatMap(({ objects }) => objects.map((object) => object.id));
      expect(behind.toSorted()).toEqual(wanted.toSorted());
    }

    if (id !== null) {
      const narrow = id.slice(0, -60);
      for await (const { objects } of provider.list({ under: narrow, signal }))
        for (const found of objects) expect(found.id.startsWith(narrow)).toBe(true);
    }
    for (let first = 0; first < stored.length; first += 20)
      await Promise.all(stored.slice(first, first + 20).map((object) => provider.delete(object.id, signal)));
  }, 120_000);

  test('can be checked by several workers at once', async () => {
    await Promise.all(Array.from({ length: 5 }, () => provider.check(signal)));
  });
}
