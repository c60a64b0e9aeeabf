import { StreamableHTTPClientTransport, type Transport } from '@modelcontextprotocol/client';
import { getDefaultEnvironment, StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import type { McpStorage } from '../config/mcp-storage.ts';

/** What surrounds a file's base64 in a message. */
const AROUND_BYTES = 1024 * 1024;

/** A new connection to the server of a storage. @param maxFileBytes of the largest file that comes in one message */
export function transportTo(server: McpStorage['server'], maxFileBytes: number): Transport {
  if ('url' in server) return new StreamableHTTPClientTransport(new URL(server.url), { requestInit: { headers: server.headers } });
  const { command, args, env, cwd } = server;
  return new StdioClientTransport({
    ...{ command, args, env: { ...getDefaultEnvironment(), ...env }, stderr: 'ignore' },
    ...(cwd === undefined ? {} : { cwd }),
    maxBufferSize: Math.ceil((maxFileBytes * 4) / 3) + AROUND_BYTES,
  });
}
