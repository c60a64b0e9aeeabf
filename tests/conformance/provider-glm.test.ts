import { describe, expect, test } from 'vitest';
import { createGlm } from '../../src/providers/glm.ts';
import { freshSeed, MIB, uploadOf } from '../support/bodies.ts';
import { type GlmServer, startGlmServer } from '../support/glm-server.ts';
import { LONG } from '../support/timeouts.ts';
import { type Connection, describeProvider } from './provider-suite.ts';

const connectTo =
  ({ url: server, apiKey }: GlmServer) =>
  ({ key, url = server, ...connection }: Connection = {}) =>
    createGlm({
      ...{ apiKey: key === 'wrong' ? 'wrong.key' : apiKey, baseUrl: `${url}/api/paas/v4`, maxFileBytes: 200 * MIB },
      ...{ maxRetryAttempts: 3, timeouts: LONG },
      ...connection,
    });

// Batch files: of them alone, originals are given back.
describeProvider('GLM, a server as documented', async () => {
  const server = await startGlmServer();
  return {
    url: server.url,
    connect: connectTo(server),
    isUpload: ({ method, path }) => method === 'POST' && path === '/api/paas/v4/files',
    isDownload: ({ path }) => path.endsWith('/content'),
    isInfo: ({ method, path }) => method === 'GET' && path.startsWith('/api/paas/v4/files?'),
    fileName: 'file.jsonl',
    close: () => server.close(),
  };
});

describe('GLM', () => {
  const signal = new AbortController().signal;
  async function withServer(options: { unknownIs?: number }, work: (server: GlmServer) => Promise<void>) {
    const server = await startGlmServer(options);
    await work(server).finally(() => server.close());
  }

  test.each([
    ['a.jsonl', 'storage', 'batch'],
    ['a.pdf', 'storage', 'agent'],
    ['a.pptx', 'storage', 'file-extract'],
    ['a.pdf', 'extract', 'file-extract'],
    ['a.csv', 'code', 'code-interpreter'],
    ['a.mp3', 'voice', 'voice-clone-input'],
    ['a.pdf', 'code-interpreter', 'code-interpreter'],
  ])('takes %s for %s as %s', (name, wanted, purpose) =>
    withServer({}, async (server) => {
      expect((await connectTo(server)().upload(uploadOf(20, freshSeed(), { name, purpose: wanted }))).purpose).toBe(purpose);
    }),
  );

  test('does not give back what was not uploaded for a batch, rather than the text that it read in it', () =>
    withServer({}, async (server) => {
      const provider = connectTo(server)();
      const { id } = await provider.upload(uploadOf(20, freshSeed(), { name: 'a.pdf', purpose: 'file-extract' }));
      await expect(provider.download(id, { signal })).rejects.toMatchObject({ name: 'ValidationError', code: 'not_downloadable' });
    }));

  test('knows that a file is gone also where its deletion is answered by a mistake in parameters', () =>
    withServer({ unknownIs: 400 }, async (server) => {
      const provider = connectTo(server)();
      const { id } = await provider.upload(uploadOf(20, freshSeed(), { name: 'a.pdf' }));
      expect([await provider.delete(id, signal), await provider.delete(id, signal)]).toEqual([true, false]);
    }));

  test('refuses an image above 5 MB before it is read', () =>
    withServer({}, async (server) => {
      const error = await connectTo(server)()
        .upload(uploadOf(5 * MIB + 1, freshSeed(), { name: 'a.png' }))
        .catch((thrown) => thrown);
      expect(error).toMatchObject({ name: 'ValidationError', code: 'file_too_large' });
      expect(error.message).toContain(String(5 * MIB));
    }));
});
