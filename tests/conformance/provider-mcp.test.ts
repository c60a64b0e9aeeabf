import { StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { McpStorage } from '../../src/config/mcp-storage.ts';
import { createMcpStorage, type McpStorageOptions } from '../../src/providers/mcp-storage.ts';
import { drain, freshSeed, MIB, uploadOf } from '../support/bodies.ts';
import { freePort } from '../support/free-port.ts';
import { createStorageServer, STORAGE, type StorageServer } from '../support/mcp-storage-server.ts';
import { LONG, SHORT } from '../support/timeouts.ts';
import { type Connection, describeProvider } from './provider-suite.ts';

const signal = new AbortController().signal;
const storage: McpStorage = { ...STORAGE, server: { command: 'storage-server', args: [], env: {} } };
const connect = (server: Pick<StorageServer, 'transport'>, more: Partial<McpStorageOptions> = {}) =>
  createMcpStorage({
    storage,
    secrets: [],
    maxFileBytes: 30 * MIB,
    maxRetryAttempts: 3,
    timeouts: LONG,
    transport: server.transport,
    ...more,
  });

describeProvider('A storage by way of another MCP server', async () => {
  const server = createStorageServer();
  const never = () => false;
  return {
    url: null,
    connect: ({ key: _, url: __, ...connection }: Connection = {}) => connect(server, connection),
    ...{ isUpload: never, isDownload: never, isInfo: never },
    largest: 30 * MIB,
    close: async () => {},
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

describe('Over streamable HTTP, a storage by way of another MCP server', () => {
  const server = createStorageServer();
  let listening: Awaited<ReturnType<StorageServer['listen']>>;
  beforeAll(async () => {
    listening = await server.listen('right-token-1');
  });
  afterAll(() => listening?.close());
  const over = (token: string) =>
    connect(
      {
        transport: () =>
          new StreamableHTTPClientTransport(new URL(listening.url), { requestInit: { headers: { authorization: `Bearer ${token}` } } }),
      },
      { storage: { ...storage, server: { url: listening.url, headers: {} } }, secrets: [token] },
    );

  test('takes a file and gives it back', async () => {
    const request = uploadOf(2 * MIB, freshSeed());
    const provider = over('right-token-1');
    const { id } = await provider.upload(request);
    expect((await drain((await provider.download(id, { signal })).chunks)).sha256).toBe(request.sha256);
    expect(await provider.delete(id, signal)).toBe(true);
    expect(await provider.info(id, signal)).toBeNull();
  });

  test('says where to look when its token is wrong, and does not tell it', async () => {
    const error = await over('wrong-token-2')
      .check(signal)
      .catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'unauthorized', retryable: false, provider: 'mcp', message: expect.stringMatching(/MCP_CONFIG/) });
    expect(JSON.stringify(error)).not.toContain('wrong-token-2');
  });

  test('is unreachable where nobody listens', async () => {
    const url = new URL(`http://127.0.0.1:${await freePort()}/mcp`);
    const nobody = { transport: () => new StreamableHTTPClientTransport(url) };
    await expect(connect(nobody, { timeouts: SHORT, maxRetryAttempts: 0 }).check(signal)).rejects.toMatchObject({
      code: 'connection_refused',
      retryable: true,
    });
  });
});

test('A server that cannot be started is named, with what to look at', async () => {
  const nothing = { transport: () => new StdioClientTransport({ command: '/no/such/program', args: [] }) };
  await expect(connect(nothing).check(signal)).rejects.toMatchObject({
    ...{ code: 'server_not_started', retryable: false, message: expect.stringMatching(/Check the command in MCP_CONFIG/) },
  });
});
