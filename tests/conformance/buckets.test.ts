import { randomUUID } from 'node:crypto';
import {
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BucketStore, Provider } from '../../src/providers/provider.ts';
import { freshSeed, MIB, uploadOf } from '../support/bodies.ts';
import { s3Client, s3Provider } from '../support/s3-provider.ts';
import { supabase, supabaseProvider } from '../support/supabase-provider.ts';
import { BUILD_TIMEOUT_MS, noVersitygw, type S3Server, startVersitygw } from '../support/versitygw.ts';

const signal = new AbortController().signal;
const freshName = () => `buckets-${randomUUID().slice(0, 8)}`;

interface Storage {
  /** The provider with this bucket as its own. */
  connect(bucket: string): Provider;
  /** A small object under a key of somebody else's. */
  put(bucket: string, key: string): Promise<unknown>;
  close(): Promise<void>;
}

/** What every storage with buckets promises of them. */
function describeBuckets(name: string, start: () => Promise<Storage>, more: (storage: () => Storage) => void): void {
  describe(name, () => {
    let storage: Storage;
    let buckets: BucketStore;
    beforeAll(async () => {
      storage = await start();
      buckets = storage.connect('any-bucket').buckets as BucketStore;
    }, BUILD_TIMEOUT_MS);
    afterAll(() => storage?.close());
    const named = async (bucket: string) => (await buckets.list(signal)).find(({ name }) => name === bucket);

    test('creates a bucket, lists it, and deletes it', async () => {
      const bucket = freshName();
      expect(await named(bucket)).toBeUndefined();
      await buckets.create(bucket, {}, signal);
      const made = await named(bucket);
      expect(made).toMatchObject({ name: bucket, maxFileBytes: null, allowedMimeTypes: null });
      expect(made?.public).not.toBe(true);
      expect(Date.parse(made?.createdAt ?? '')).toBeGreaterThan(Date.now() - 3_600_000);
      await buckets.delete(bucket, signal);
      expect(await named(bucket)).toBeUndefined();
    });

    test('refuses to create one that is there', async () => {
      const bucket = freshName();
      await buckets.create(bucket, {}, signal);
      await expect(buckets.create(bucket, {}, signal)).rejects.toMatchObject({ name: 'ValidationError', code: 'bucket_exists' });
      await buckets.delete(bucket, signal);
    });

    test.each<[string, (bucket: string) => Promise<unknown>]>([
      ['update', (bucket) => buckets.update(bucket, { public: true }, signal)],
      ['empty', (bucket) => buckets.empty(bucket, signal)],
      ['delete', (bucket) => buckets.delete(bucket, signal)],
    ])('says that there is none to %s', async (_, work) => {
      const bucket = freshName();
      const error = await work(bucket).then(
        () => expect.unreachable('there is no such bucket'),
        (thrown) => thrown,
      );
      expect(error).toMatchObject({ name: 'FileNotFoundError', code: 'bucket_not_found' });
      expect(error.message).toContain(bucket);
    });

    test('refuses to delete one that is not empty, and empties it, counting', async () => {
      const bucket = freshName();
      const provider = storage.connect(bucket);
      await provider.check(signal);
      const files = Array.from({ length: 23 }, () => uploadOf(100, freshSeed()));
      await Promise.all(files.map((file) => provider.upload(file)));
      await expect(buckets.delete(bucket, signal)).rejects.toMatchObject({ name: 'ValidationError', code: 'bucket_not_empty' });
      const seen: number[] = [];
      expect(await buckets.empty(bucket, signal, (deleted) => seen.push(deleted))).toBe(23);
      expect(seen.at(-1)).toBe(23);
      for await (const { objects } of provider.list({ signal })) expect(objects).toEqual([]);
      expect(await buckets.empty(bucket, signal)).toBe(0);
      await buckets.delete(bucket, signal);
    });

    test('empties one with more objects in a folder than a page has', async () => {
      const bucket = freshName();
      const provider = storage.connect(bucket);
      await provider.check(signal);
      let left = 1300;
      const loop = async () => {
        while (left-- > 0) await storage.put(bucket, `one/folder/${left}`);
      };
      await Promise.all(Array.from({ length: 16 }, loop));
      expect(await buckets.empty(bucket, signal)).toBe(1300);
      await buckets.delete(bucket, signal);
    }, 120_000);

    test('stops when told to', async () => {
      const reason = new Error('stop');
      await expect(buckets.empty(freshName(), AbortSignal.abort(reason))).rejects.toBe(reason);
    });

    more(() => storage);
  });
}

describeBuckets(
  'buckets of Supabase Storage',
  async () => {
    const { url, secretKey } = supabase();
    const client = createClient(url, secretKey);
    return {
      connect: (bucket) => supabaseProvider({ bucket }),
      put: (bucket, key) => client.storage.from(bucket).upload(key, Buffer.from(key)),
      close: async () => {},
    };
  },
  (storage) => {
    test('keeps its settings, and changes those that are named alone', async () => {
      const bucket = freshName();
      const store = storage().connect(bucket).buckets as BucketStore;
      await store.create(bucket, { public: true, maxFileBytes: 5 * MIB, allowedMimeTypes: ['image/png', 'text/*'] }, signal);
      const now = async () => (await store.list(signal)).find(({ name }) => name === bucket);
      expect(await now()).toMatchObject({ public: true, maxFileBytes: 5 * MIB, allowedMimeTypes: ['image/png', 'text/*'] });
      await store.update(bucket, { public: false }, signal);
      expect(await now()).toMatchObject({ public: false, maxFileBytes: 5 * MIB, allowedMimeTypes: ['image/png', 'text/*'] });
      await store.update(bucket, { maxFileBytes: null, allowedMimeTypes: null }, signal);
      expect(await now()).toMatchObject({ public: false, maxFileBytes: null, allowedMimeTypes: null });
      await store.delete(bucket, signal);
    });
  },
);

const without = noVersitygw();
describe.skipIf(without !== null)(without ?? 'versitygw', () => {
  let server: S3Server;
  let client: S3Client;
  describeBuckets(
    'buckets of S3',
    async () => {
      server = await startVersitygw();
      client = s3Client(server);
      return {
        connect: (bucket) => s3Provider(server, { bucket }),
        put: (Bucket, Key) => client.send(new PutObjectCommand({ Bucket, Key, Body: Key })),
        close: server.close,
      };
    },
    (storage) => {
      test('empties one of uploads in parts that were never completed, too', async () => {
        const bucket = freshName();
        const store = storage().connect(bucket).buckets as BucketStore;
        await store.create(bucket, {}, signal);
        const begun = await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: 'begun' }));
        await client.send(new UploadPartCommand({ Bucket: bucket, Key: 'begun', UploadId: begun.UploadId, PartNumber: 1, Body: 'part' }));
        expect(await store.empty(bucket, signal)).toBe(0);
        expect((await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads ?? []).toEqual([]);
        await store.delete(bucket, signal);
      });

      test.each([
        ['public', { public: true }],
        ['a largest file', { maxFileBytes: 1 }],
        ['types', { allowedMimeTypes: ['text/plain'] }],
      ])('says plainly that S3 has no setting for %s', async (_, settings) => {
        const bucket = freshName();
        const store = storage().connect(bucket).buckets as BucketStore;
        await expect(store.create(bucket, settings, signal)).rejects.toMatchObject({ name: 'ValidationError', code: 'not_supported' });
        await store.create(bucket, {}, signal);
        await expect(store.update(bucket, settings, signal)).rejects.toMatchObject({ name: 'ValidationError', code: 'not_supported' });
        await store.delete(bucket, signal);
      });
    },
  );
});
