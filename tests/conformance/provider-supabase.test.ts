import { startFaultProxy } from '../support/fault-proxy.ts';
import { dropBucket, freshBucket, supabase, supabaseProvider } from '../support/supabase-provider.ts';
import { startTusGateway } from '../support/supabase-tus-gateway.ts';
import { describeProvider } from './provider-suite.ts';

describeProvider('Supabase Storage, embedded', async (maxFileBytes) => {
  const bucket = freshBucket();
  return { provider: supabaseProvider({ bucket, maxFileBytes }), close: () => dropBucket(bucket) };
});

describeProvider('Supabase Storage, through a proxy', async (maxFileBytes) => {
  const bucket = freshBucket();
  const proxy = await startFaultProxy(supabase().url);
  return {
    provider: supabaseProvider({ url: proxy.url, bucket, maxFileBytes }),
    async close() {
      await proxy.close();
      await dropBucket(bucket);
    },
  };
});

describeProvider('Supabase Storage, with resumable uploads', async (maxFileBytes) => {
  const bucket = freshBucket();
  const gateway = await startTusGateway(supabase().url, supabase().secretKey);
  return {
    provider: supabaseProvider({ url: gateway.url, bucket, maxFileBytes, tusThresholdBytes: 0 }),
    async close() {
      await gateway.close();
      await dropBucket(bucket);
    },
  };
});
