import { fileURLToPath } from 'node:url';
import { SdkErrorCode, SdkHttpError, type Transport } from '@modelcontextprotocol/client';
import { describe, expect, test } from 'vitest';
import type { McpStorage } from '../../src/config/mcp-storage.ts';
import { createMcpStorage, type McpStorageOptions } from '../../src/providers/mcp-storage.ts';
import { transportTo } from '../../src/providers/mcp-transport.ts';
import { listen } from '../../src/server/listen.ts';
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

test.each([404, 410])(
  'An answer of HTTP %i says nothing of a file: neither that there is none, nor that it was deleted',
  async (status) => {
    const { url, stop } = await listen(async () => new Response('no such page', { status }), { host: '127.0.0.1', port: 0 });
    const provider = connect({ transport: () => transportTo({ url: `${url}/mcp`, headers: {} }, MIB) }, { maxRetryAttempts: 0 });
    const refusal = { code: 'server_not_found', retryable: true, message: expect.stringMatching(/Check the url in MCP_CONFIG/) };
    await expect(provider.info('f_1', signal)).rejects.toMatchObject(refusal);
    await expect(provider.delete('f_1', signal)).rejects.toMatchObject(refusal);
    await stop(0);
  },
);

test('A server that has forgotten the session is asked again in a new one', async () => {
  const server = createStorageServer();
  const { id } = await connect(server).upload(uploadOf(10, freshSeed()));
  const opened: Transport[] = [];
  const forgetful = connect({
    transport() {
      const transport = server.transport();
      const send = transport.send.bind(transport);
      if (opened.push(transport) === 1)
        transport.send = async (message, options) => {
          if (JSON.stringify(message).includes('tools/call'))
            throw new SdkHttpError(SdkErrorCode.ClientHttpNotImplemented, 'Session not found', { status: 404, statusText: '' });
          await send(message, options);
        };
      return transport;
    },
  });
  expect((await forgetful.info(id, signal))?.id).toBe(id);
  expect(opened).toHaveLength(2);
});

test.each(['MCP error -32602: Tool stat_file not found', 'Unknown tool: stat_file'])(
  'A server without the tool (%s) has not said that there is no file',
  async (said) => {
    const server = createStorageServer();
    server.failNext('stat_file', { error: said });
    const provider = connect(server, { storage: { ...storage, notFound: 'not found' } });
    await expect(provider.info('f_1', signal)).rejects.toMatchObject({
      ...{ code: 'mcp_refused', retryable: false, message: expect.stringMatching(/Check the names and arguments of tools in MCP_CONFIG/) },
    });
  },
);

test('A secret that a server repeats is hidden before what it said is cut', async () => {
  const server = createStorageServer();
  server.failNext('stat_file', { error: `${'x'.repeat(490)} ${TOKEN} ${'y'.repeat(100_000)}` });
  const error = await connect(server)
    .info('f_1', signal)
    .catch((thrown) => thrown);
  expect(error.message).toContain('xxx ***');
  expect(error.message).not.toContain(TOKEN.slice(0, 6));
  expect(error.message.length).toBeLessThan(600);
});

test('An answer of HTTP that repeats the secret, at any length, takes it into no message and no history', async () => {
  const body = `${TOKEN} ${'x'.repeat(3 * MIB)}`;
  const { url, stop } = await listen(async () => new Response(body, { status: 400 }), { host: '127.0.0.1', port: 0 });
  const provider = connect({ transport: () => transportTo({ url: `${url}/mcp`, headers: {} }, MIB) }, { maxRetryAttempts: 0 });
  const error = await provider.info('f_1', signal).catch((thrown) => thrown);
  expect(error).toMatchObject({ code: 'rejected', message: expect.stringContaining('***') });
  expect(JSON.stringify(error)).not.toContain(TOKEN);
  expect(JSON.stringify(error).length).toBeLessThan(2000);
  await stop(0);
});

test('A server that does not even begin is waited for as long as a call may take, and not after a cancellation', async () => {
  const nobody = { command: process.execPath, args: ['--eval', 'setTimeout(() => undefined, 60_000)'], env: {} };
  const within = (callMs: number) =>
    connect({ transport: () => transportTo(nobody, MIB) }, { timeouts: { ...SHORT, callMs }, maxRetryAttempts: 0 });
  await expect(within(1000).check(signal)).rejects.toMatchObject({ code: 'timeout', retryable: true });
  const begunMs = performance.now();
  await expect(within(5000).check(AbortSignal.timeout(100))).rejects.toMatchObject({ name: 'TimeoutError' });
  expect(performance.now() - begunMs).toBeLessThan(4000);
}, 15_000);

test('A server that cannot be started is named, with what to look at', async () => {
  const nothing = { transport: () => transportTo({ command: '/no/such/program', args: [], env: {} }, MIB) };
  await expect(connect(nothing).check(signal)).rejects.toMatchObject({
    ...{ code: 'server_not_started', retryable: false, message: expect.stringMatching(/Check the command in MCP_CONFIG/) },
  });
});
