import { expect, test } from 'vitest';
import type { SupabaseStorageOptions } from '../../src/providers/supabase-storage.ts';
import { freshSeed, uploadOf } from '../support/bodies.ts';
import { dropBucket, freshBucket, supabase, supabaseProvider } from '../support/supabase-provider.ts';
import { startTusGateway } from '../support/supabase-tus-gateway.ts';
import { type Connection, describeProvider, type VendorUnderTest } from './provider-suite.ts';

function supabaseVendor(url: string, more: Partial<SupabaseStorageOptions>, close: () => Promise<void>): VendorUnderTest {
  const bucket = freshBucket();
  return {
    url,
    connect: ({ key, onSurplus: _, ...connection }: Connection = {}) =>
      supabaseProvider({ url, bucket, ...more, ...connection, ...(key === 'wrong' ? { secretKey: 'sb_secret_wrong' } : {}) }),
    isUpload: ({ method, path }) =>
      (method === 'POST' && path.startsWith(`/storage/v1/object/${bucket}/`)) ||
      (method === 'PATCH' && path.startsWith('/storage/v1/upload/resumable/')),
    isDownload: ({ method, path }) => method === 'GET' && path.startsWith(`/storage/v1/object/${bucket}/`),
    isInfo: ({ path }) => path.startsWith('/storage/v1/object/info/'),
    async close() {
      await close();
      await dropBucket(bucket);
    },
  };
}

describeProvider('Supabase Storage, embedded', async () => supabaseVendor(supabase().url, {}, async () => {}));

describeProvider('Supabase Storage, with resumable uploads', async () => {
  const gateway = await startTusGateway(supabase().url, supabase().secretKey);
  return supabaseVendor(gateway.url, { tusThresholdBytes: 0 }, () => gateway.close());
});

test('A second attempt in Supabase Storage makes the bucket that the first one did not live to make', async () => {
  const bucket = freshBucket();
  const request = uploadOf(1000, freshSeed(), { retried: true });
  expect(await supabaseProvider({ bucket }).upload(request)).toMatchObject({ sizeBytes: 1000 });
  await dropBucket(bucket);
});
