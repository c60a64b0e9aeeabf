import { StreamableHTTPClientTransport, type Transport } from '@modelcontextprotocol/client';
import { getDefaultEnvironment, StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import type { McpStorage } from '../config/mcp-storage.ts';
import { type ErrorAnswer, readErrorAnswer } from './classify.ts';

/** What surrounds a file's base64 in a message. */
const AROUND_BYTES = 1024 * 1024;

/** An answer of HTTP that says when to come again, which the protocol's client would pass over. */
export class BusyError extends Error {
  readonly answer: ErrorAnswer;
  constructor(answer: ErrorAnswer) {
    super(answer.message);
    this.answer = answer;
  }
}

async function withRetryAfter(url: string | URL, init?: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  if (response.status !== 429 && response.status !== 503) return response;
  throw new BusyError(readErrorAnswer(response.status, Object.fromEntries(response.headers), await response.text(), Date.now()));
}

/** A new connection to the server of a storage. @param maxFileBytes of the largest file that comes in one message */
export function transportTo(server: McpStorage['server'], maxFileBytes: number): Transport {
  if ('url' in server)
    return new StreamableHTTPClientTransport(new URL(server.url), { requestInit: { headers: server.headers }, fetch: withRetryAfter });
  const { command, args, env, cwd } = server;
  return new StdioClientTransport({
    ...{ command, args, env: { ...getDefaultEnvironment(), ...env }, stderr: 'ignore' },
    ...(cwd === undefined ? {} : { cwd }),
    maxBufferSize: Math.ceil((maxFileBytes * 4) / 3) + AROUND_BYTES,
  });
}
