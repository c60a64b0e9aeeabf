import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createGemini } from '../../src/providers/gemini.ts';
import { hexOf } from '../../src/providers/gemini-upload.ts';
import { freshSeed, MIB, uploadOf } from '../support/bodies.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { type GeminiServer, startGeminiServer } from '../support/gemini-server.ts';
import { LONG, SHORT } from '../support/timeouts.ts';
import { objectsOf } from '../support/vendor-samples.ts';
import { type Connection, describeProvider } from './provider-suite.ts';

const connectTo =
  ({ url, apiKey }: GeminiServer) =>
  ({ key, url: baseUrl = url, ...connection }: Connection = {}) =>
    createGemini({
      ...{ apiKey: key === 'wrong' ? 'AIza-wrong' : apiKey, baseUrl, maxFileBytes: 200 * MIB, maxRetryAttempts: 3, timeouts: LONG },
      ...connection,
    });

describeProvider('Gemini, a server as documented', async () => {
  const server = await startGeminiServer();
  return {
    url: server.url,
    connect: connectTo(server),
    isUpload: ({ method, path, headers }) =>
      method === 'POST' && path.includes('upload_id=') && headers['x-goog-upload-command'] !== 'query',
    isDownload: () => false,
    isInfo: ({ method, path }) => method === 'GET' && path.startsWith('/v1beta/files/'),
    oneAddressForEachUpload: true,
    close: () => server.close(),
  };
});

describe('An upload to Gemini', () => {
  test('goes on where it broke off, also in another process', async () => {
    const server = await startGeminiServer();
    const proxy = await startFaultProxy(server.url);
    try {
      let checkpoint: unknown;
      const request = uploadOf(20 * MIB, freshSeed(), {
        onCheckpoint: (left) => {
          checkpoint = left;
        },
      });
      const chunk = ({ path, headers }: { path: string; headers: Record<string, unknown> }) =>
        path.includes('upload_id=') && headers['x-goog-upload-offset'] === String(16 * MIB);
      proxy.inject(chunk, { kind: 'reset-request', afterBytes: MIB });
      const dying = connectTo(server)({ url: proxy.url, maxRetryAttempts: 0, timeouts: SHORT });
      await expect(dying.upload(request)).rejects.toMatchObject({ retryable: true });
      proxy.reset();
      const stored = await connectTo(server)({ url: proxy.url, timeouts: SHORT }).upload({ ...request, retried: true, checkpoint });
      const sent = proxy.seen.filter(({ headers }) => String(headers['x-goog-upload-command']).startsWith('upload'));
      expect(sent.map(({ headers }) => headers['x-goog-upload-offset'])).toEqual([String(16 * MIB)]);
      expect(await objectsOf(connectTo(server)(), request)).toMatchObject([{ id: stored.id, sizeBytes: 20 * MIB }]);
    } finally {
      await proxy.close();
      await server.close();
    }
  });

  test('goes on where it broke off within its own retries, and does not send again what has arrived', async () => {
    const server = await startGeminiServer();
    const proxy = await startFaultProxy(server.url);
    try {
      proxy.inject(({ headers }) => headers['x-goog-upload-offset'] === String(8 * MIB), { kind: 'reset-request', afterBytes: MIB });
      await connectTo(server)({ url: proxy.url, timeouts: SHORT }).upload(uploadOf(20 * MIB, freshSeed()));
      const sent = proxy.seen.filter(({ headers }) => String(headers['x-goog-upload-command']).startsWith('upload'));
      expect(sent.map(({ headers }) => Number(headers['x-goog-upload-offset']) / MIB)).toEqual([0, 8, 8, 16]);
    } finally {
      await proxy.close();
      await server.close();
    }
  });

  test('says when the file will be gone', async () => {
    const server = await startGeminiServer();
    const { expiresAt } = await connectTo(server)().upload(uploadOf(10, freshSeed()));
    expect(Date.parse(expiresAt ?? '') - Date.now()).toBeGreaterThan(47 * 3_600_000);
    await server.close();
  });

  test('whose processing fails is an error that a retry cannot help, and leaves nothing', async () => {
    const server = await startGeminiServer();
    server.failProcessing();
    const provider = connectTo(server)();
    const request = uploadOf(10, freshSeed());
    await expect(provider.upload(request)).rejects.toMatchObject({ code: 'processing_failed', retryable: false, message: /decoded/ });
    expect(await objectsOf(provider, request)).toEqual([]);
    await server.close();
  });

  test('is done when the file can be used, also where the answer was lost and the file is found again', async () => {
    const server = await startGeminiServer({ processingMs: 700 });
    const proxy = await startFaultProxy(server.url);
    try {
      const provider = connectTo(server)({ url: proxy.url, timeouts: SHORT });
      proxy.inject(({ headers }) => headers['x-goog-upload-command'] === 'upload, finalize', { kind: 'drop-answer' });
      const request = uploadOf(100, freshSeed());
      const { id } = await provider.upload(request);
      const answer = await fetch(`${server.url}/v1beta/${id}`, { headers: { 'x-goog-api-key': server.apiKey } });
      expect(await answer.json()).toMatchObject({ state: 'ACTIVE' });

      server.failProcessing();
      const bad = uploadOf(100, freshSeed());
      proxy.inject(({ headers }) => headers['x-goog-upload-command'] === 'upload, finalize', { kind: 'drop-answer' });
      await expect(provider.upload(bad)).rejects.toMatchObject({ code: 'processing_failed', retryable: false });
      expect(await objectsOf(provider, bad)).toEqual([]);
    } finally {
      await proxy.close();
      await server.close();
    }
  });

  test('that is stored with another hash is deleted and sent again', async () => {
    const server = await startGeminiServer();
    const provider = connectTo(server)();
    server.damageNext();
    const request = uploadOf(1000, freshSeed());
    const stored = await provider.upload(request);
    expect(stored.sha256).toBe(request.sha256);
    expect(await objectsOf(provider, request)).toMatchObject([{ id: stored.id }]);

    server.damageNext();
    const once = connectTo(server)({ maxRetryAttempts: 0 });
    const damaged = uploadOf(1000, freshSeed());
    await expect(once.upload(damaged)).rejects.toMatchObject({ retryable: true, message: /SHA-256/ });
    expect(await objectsOf(provider, damaged)).toEqual([]);
    await server.close();
  });

  test('knows the hash in both forms in which it is told', () => {
    const hash = createHash('sha256').update('x');
    const hex = hash.copy().digest('hex');
    expect(hexOf(hash.copy().digest('base64'))).toBe(hex);
    expect(hexOf(Buffer.from(hex).toString('base64'))).toBe(hex);
    expect(hexOf('???')).toBeNull();
    expect(hexOf(undefined)).toBeNull();
  });
});
