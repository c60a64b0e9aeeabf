import { describe, expect, test } from 'vitest';
import { createKimi } from '../../src/providers/kimi.ts';
import { freshSeed, MIB, uploadOf } from '../support/bodies.ts';
import { type KimiServer, startKimiServer } from '../support/kimi-server.ts';
import { LONG } from '../support/timeouts.ts';
import { type Connection, describeProvider } from './provider-suite.ts';

const connectTo =
  ({ url: server, apiKey }: KimiServer) =>
  ({ key, url = server, ...connection }: Connection = {}) =>
    createKimi({
      ...{
        apiKey: key === 'wrong' ? 'sk-wrong' : apiKey,
        baseUrl: `${url}/v1`,
        maxFileBytes: 200 * MIB,
        maxRetryAttempts: 3,
        timeouts: LONG,
      },
      ...connection,
    });

describeProvider('Kimi, a server as documented', async () => {
  const server = await startKimiServer();
  return {
    url: server.url,
    connect: connectTo(server),
    isUpload: ({ method, path }) => method === 'POST' && path === '/v1/files',
    isDownload: ({ path }) => path.endsWith('/content'),
    isInfo: ({ method, path }) => method === 'GET' && /^\/v1\/files\/[^/]+$/.test(path),
    fileName: 'file.pdf',
    close: () => server.close(),
  };
});

describe('Kimi', () => {
  async function withServer(limits: { files?: number }, work: (server: KimiServer) => Promise<void>) {
    const server = await startKimiServer(limits);
    await work(server).finally(() => server.close());
  }

  test.each([
    ['scan.jpg', 'storage', 'file-extract', '.jpeg'],
    ['scan.JPG', 'vision', 'image', '.jpeg'],
    ['film.mp4', 'vision', 'video', '.mp4'],
    ['film.mp4', 'storage', 'video', '.mp4'],
    ['calls.jsonl', 'batch', 'batch', '.jsonl'],
    ['book.epub', 'file-extract', 'file-extract', '.epub'],
  ])('takes %s for %s as %s, under a name that ends in %s', (name, wanted, purpose, ending) =>
    withServer({}, async (server) => {
      const stored = await connectTo(server)().upload(uploadOf(20, freshSeed(), { name, purpose: wanted }));
      expect(stored.purpose).toBe(purpose);
      expect(stored.name?.endsWith(ending)).toBe(true);
    }),
  );

  test('that is full says so once, and what to do', () =>
    withServer({ files: 1 }, async (server) => {
      const provider = connectTo(server)();
      await provider.upload(uploadOf(20, freshSeed(), { name: 'a.txt' }));
      const error = await provider.upload(uploadOf(20, freshSeed(), { name: 'b.txt' })).catch((thrown) => thrown);
      expect(error).toMatchObject({ code: 'quota_exceeded', retryable: false });
      expect(error.message).toContain('1,000 files');
    }));

  test('knows no purpose but its own and those that they serve', () =>
    withServer({}, async (server) => {
      const error = await connectTo(server)()
        .upload(uploadOf(20, 1, { name: 'a.txt', purpose: 'fine-tune' }))
        .catch((thrown) => thrown);
      expect(error).toMatchObject({ name: 'ValidationError', code: 'purpose_unknown' });
      expect(error.message).toContain('file-extract');
    }));

  test('is told apart by account, which does not tell the key', () =>
    withServer({}, async (server) => {
      const accounts = [connectTo(server)().account, connectTo(server)({ key: 'wrong' }).account];
      expect(new Set(accounts).size).toBe(2);
      expect(accounts.join()).not.toContain(server.apiKey);
    }));
});
