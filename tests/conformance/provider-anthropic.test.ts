import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createAnthropic } from '../../src/providers/anthropic.ts';
import { type AnthropicServer, startAnthropicServer } from '../support/anthropic-server.ts';
import { drain, MIB, sha256Of } from '../support/bodies.ts';
import { LONG } from '../support/timeouts.ts';
import { type Connection, describeProvider } from './provider-suite.ts';

const connectTo =
  ({ url, apiKey }: AnthropicServer) =>
  ({ key, url: baseUrl = url, ...connection }: Connection = {}) =>
    createAnthropic({
      ...{ apiKey: key === 'wrong' ? 'sk-ant-wrong' : apiKey, baseUrl, maxFileBytes: 200 * MIB, maxRetryAttempts: 3, timeouts: LONG },
      ...connection,
    });

describeProvider('Anthropic, a server as documented', async () => {
  const server = await startAnthropicServer();
  return {
    url: server.url,
    connect: connectTo(server),
    isUpload: ({ method, path }) => method === 'POST' && path === '/v1/files',
    isDownload: ({ path }) => path.endsWith('/content'),
    isInfo: ({ method, path }) => method === 'GET' && /^\/v1\/files\/[^/?]+/.test(path),
    close: () => server.close(),
  };
});

test('A file that a tool has made at Anthropic is read back', async () => {
  const server = await startAnthropicServer();
  const folder = mkdtempSync(join(tmpdir(), 'cutover-anthropic-'));
  try {
    const bytes = randomBytes(100_000);
    const path = join(folder, 'chart.png');
    writeFileSync(path, bytes);
    const id = server.addToolFile({ path, sizeBytes: bytes.length, sha256: sha256Of([bytes]) });
    const provider = connectTo(server)();
    const { signal } = new AbortController();
    expect(await provider.info(id, signal)).toMatchObject({ downloadable: true, name: 'chart.png', mimeType: 'image/png' });
    expect((await drain((await provider.download(id, { signal })).chunks)).sha256).toBe(sha256Of([bytes]));
  } finally {
    await server.close();
    rmSync(folder, { recursive: true });
  }
});
