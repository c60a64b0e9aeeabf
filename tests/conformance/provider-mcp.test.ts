import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { McpStorage } from '../../src/config/mcp-storage.ts';
import { createMcpStorage, type McpStorageOptions } from '../../src/providers/mcp-storage.ts';
import { transportTo } from '../../src/providers/mcp-transport.ts';
import { drain, freshSeed, MIB, uploadOf } from '../support/bodies.ts';
import type { RequestLine } from '../support/fault-proxy.ts';
import { freePort } from '../support/free-port.ts';
import { createStorageServer, STORAGE, type StorageServer } from '../support/mcp-storage-server.ts';
import { LONG, SHORT } from '../support/timeouts.ts';
import { type Connection, describeProvider } from './provider-suite.ts';

const signal = new AbortController().signal;
const TOKEN = 'token-of-the-storage-1';
const storage: McpStorage = { ...STORAGE, server: { command: 'storage-server', args: [], env: {} }, variables: { STORAGE_KEY: TOKEN } };
const connect = (server: Pick<StorageServer, 'transport'>, more: Partial<McpStorageOptions> = {}) =>
  createMcpStorage({
    storage,
    maxFileBytes: 30 * MIB,
    maxRetryAttempts: 3,
    timeouts: LONG,
    transport: server.transport,
    ...more,
  });

describeProvider('A storage by way of another MCP server, over streamable HTTP', async () => {
  const server = createStorageServer();
  const listening = await server.listen(TOKEN);
  const { origin } = new URL(listening.url);
  const tool = (name: string) => (request: RequestLine) => request.headers['mcp-name'] === name;
  return {
    url: origin,
    connect({ key, url = origin, ...connection }: Connection = {}) {
      const token = key === 'wrong' ? 'wrong-token-2' : TOKEN;
      const at = { url: `${url}/mcp`, headers: { authorization: `Bearer ${token}` } };
      return connect({ transport: () => transportTo(at, 30 * MIB) }, { storage: { ...storage, server: at }, ...connection });
    },
    ...{ isUpload: tool('put_file'), isDownload: tool('get_file'), isInfo: tool('stat_file') },
    ...{ largest: 30 * MIB, bytesUnseen: true },
    close: () => listening.close(),
  };
});

describe('A storage by way of another MCP server makes one whole object', () => {
  const held = (server: StorageServer) => [...server.files.values()].map(({ bytes }) => bytes);

  test('after the connection was lost when the server had acted', async () => {
    const server = createStorageServer();
    server.failNext('put_file', 'lose');
    const stored = await connect(server).upload(uploadOf(4096, freshSeed()));
    expect([held(server), server.files.has(stored.id)]).toEqual([[4096], true]);
  });

  test('after a server that asked to try again later, and one that never answered', async () => {
    const server = createStorageServer();
    server.failNext('put_file', { error: 'Rate limit reached, try again later' });
    server.failNext('put_file', 'hang');
    const stored = await connect(server, { timeouts: SHORT }).upload(uploadOf(4096, freshSeed()));
    expect([held(server), server.files.has(stored.id)]).toEqual([[4096], true]);
  });

  test('when a worker died after the server had acted, and another begins again', async () => {
    const server = createStorageServer();
    const request = uploadOf(4096, freshSeed());
    const first = await connect(server).upload(request);
    const again = await connect(server).upload({ ...request, retried: true });
    expect([again.id, held(server)]).toEqual([first.id, [4096]]);
  });

  test('or none: what the server refuses is said once, in its words', async () => {
    const server = createStorageServer();
    server.failNext('put_file', { error: 'The folder cutover\nis read-only' });
    const error = await connect(server)
      .upload(uploadOf(10, freshSeed()))
      .catch((thrown) => thrown);
    expect(error).toMatchObject({ name: 'UploadError', code: 'tool_failed', retryable: false, provider: 'mcp' });
    expect(error.message).toBe('upload at mcp (storage-server) failed: The folder cutover is read-only');
    expect(held(server)).toEqual([]);
  });

  test('of which a wrong answer is none', async () => {
    const server = createStorageServer();
    const other = { ...storage, fields: { ...storage.fields, id: 'uuid' } };
    await expect(connect(server, { storage: other }).upload(uploadOf(10, freshSeed()))).rejects.toMatchObject({
      ...{ code: 'unexpected_answer', retryable: false, message: expect.stringMatching(/no file with an id \(uuid\).*MCP_CONFIG/) },
    });
    const unknown = { ...storage, tools: { ...storage.tools, upload: { ...storage.tools.upload, name: 'putt' } } };
    await expect(connect(server, { storage: unknown }).upload(uploadOf(10, freshSeed()))).rejects.toMatchObject({ code: 'mcp_refused' });
  });
});

test('A storage that is a program of its own takes a file larger than a line of the protocol usually is, and gives it back', async () => {
  const program = fileURLToPath(new URL('../support/mcp-storage-program.ts', import.meta.url));
  const server = { command: process.execPath, args: [program], env: {} };
  const provider = connect({ transport: () => transportTo(server, 30 * MIB) }, { storage: { ...storage, server } });
  const request = uploadOf(12 * MIB, freshSeed());
  const { id } = await provider.upload(request);
  expect((await drain((await provider.download(id, { signal })).chunks)).sha256).toBe(request.sha256);
  expect(await provider.delete(id, signal)).toBe(true);
  expect(await provider.info(id, signal)).toBeNull();
});

test('A server where nobody listens is unreachable', async () => {
  const at = { url: `http://127.0.0.1:${await freePort()}/mcp`, headers: {} };
  const nobody = connect({ transport: () => transportTo(at, MIB) }, { timeouts: SHORT, maxRetryAttempts: 0 });
  await expect(nobody.check(signal)).rejects.toMatchObject({ code: 'connection_refused', retryable: true });
});

test('A server that cannot be started is named, with what to look at', async () => {
  const nothing = { transport: () => transportTo({ command: '/no/such/program', args: [], env: {} }, MIB) };
  await expect(connect(nothing).check(signal)).rejects.toMatchObject({
    ...{ code: 'server_not_started', retryable: false, message: expect.stringMatching(/Check the command in MCP_CONFIG/) },
  });
});
