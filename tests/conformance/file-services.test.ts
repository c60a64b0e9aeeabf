import { describe, expect, test } from 'vitest';
import { createLegacyHttp } from '../../src/facade/legacy-http.ts';
import { createLegacySupabase } from '../../src/facade/legacy-supabase.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { startLegacyServer } from '../support/legacy-server.ts';
import { createMemoryFileService } from '../support/memory-file-service.ts';
import { dropBucket, freshBucket, supabase, supabaseProvider } from '../support/supabase-provider.ts';
import { LONG } from '../support/timeouts.ts';
import { contextOf, describeFileService, sampleFile } from './file-service-suite.ts';

describeFileService('The side in memory that tests use', async () => ({
  service: createMemoryFileService('memory'),
  close: async () => undefined,
}));

describeFileService('A legacy endpoint', async () => {
  const server = await startLegacyServer();
  return { service: createLegacyHttp({ url: server.url, token: server.token, timeouts: LONG }), close: () => server.close() };
});

describeFileService('Legacy straight to Supabase Storage', async () => {
  const bucket = freshBucket();
  await supabaseProvider({ bucket }).check(new AbortController().signal);
  return { service: createLegacySupabase({ ...supabase(), bucket, timeouts: LONG }), close: () => dropBucket(bucket) };
});

describe('A legacy endpoint', () => {
  test.each<[string, unknown, RegExp]>([
    ['no JSON', '<html>', /no JSON|contract/],
    ['no id', { name: 'x', size_bytes: 1 }, /id: /],
    ['a size that is text', { id: 'x', name: 'x', size_bytes: '1' }, /size_bytes: /],
    ['a hash that is none', { id: 'x', name: 'x', size_bytes: 1, sha256: 'zzz' }, /sha256: /],
  ])('that answers nonsense (%s) is named, with what is wrong, and is no success', async (_, body, message) => {
    const server = await startLegacyServer();
    const proxy = await startFaultProxy(server.url);
    proxy.inject(() => true, { kind: 'answer', status: 200, body });
    const service = createLegacyHttp({ url: proxy.url, token: server.token, timeouts: LONG });
    const error = await service.upload(sampleFile(10).file, contextOf()).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'ProviderUnavailableError', code: 'legacy_answer_invalid', retryable: false });
    expect((error as Error).message).toMatch(message);
    await proxy.close();
    await server.close();
  });

  test.each([
    [413, 'ValidationError', 'file_too_large'],
    [415, 'ValidationError', 'unsupported_media_type'],
    [400, 'ValidationError', 'rejected'],
    [422, 'ValidationError', 'rejected'],
    [500, 'ProviderUnavailableError', 'server_error'],
    [401, 'UploadError', 'unauthorized'],
  ])('that answers %i is a %s, and is asked once', async (status, name, code) => {
    const server = await startLegacyServer();
    const proxy = await startFaultProxy(server.url);
    proxy.inject(() => true, { kind: 'answer', status, body: { message: 'no' } });
    const service = createLegacyHttp({ url: proxy.url, token: server.token, timeouts: LONG });
    await expect(service.upload(sampleFile(10).file, contextOf())).rejects.toMatchObject({ name, code });
    expect(proxy.seen).toHaveLength(1);
    await proxy.close();
    await server.close();
  });
});
