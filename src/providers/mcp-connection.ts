import {
  type CallToolResult,
  Client,
  ProtocolError,
  SdkError,
  SdkErrorCode,
  SdkHttpError,
  type Transport,
  UnauthorizedError,
} from '@modelcontextprotocol/client';
import { messageOf } from '../domain/errors.ts';
import { classifyAnswer, classifySocket, type Failure } from './classify.ts';
import { BusyError } from './mcp-transport.ts';

export interface McpConnection {
  /** @throws what `failureOfCall` understands */
  call(tool: string, args: Record<string, unknown>, options: { signal: AbortSignal; timeoutMs: number }): Promise<CallToolResult>;
}

/** Nobody has asked for so long: a child process would keep ours alive. */
const IDLE_MS = 2_000;

/** A connection to an MCP server that is made when something is asked, made again when it broke, and closed when nobody asks any more. */
export function createMcpConnection(open: () => Transport | Promise<Transport>): McpConnection {
  let current: Promise<Client> | null = null;
  let asking = 0;
  let idle: NodeJS.Timeout | undefined;

  function connected(): Promise<Client> {
    if (current !== null) return current;
    const client = new Client({ name: 'cutover', version: '1' }, { versionNegotiation: { mode: 'auto' } });
    const opening = (async () => {
      await client.connect(await open());
      return client;
    })();
    current = opening;
    const forget = () => {
      if (current === opening) current = null;
    };
    client.onclose = forget;
    opening.catch(forget);
    return opening;
  }
  function closeWhenIdle(): void {
    const opened = current;
    if (asking > 0 || opened === null) return;
    idle = setTimeout(() => {
      current = null;
      opened.then((client) => client.close()).catch(() => undefined);
    }, IDLE_MS);
  }

  return {
    async call(tool, args, { signal, timeoutMs }) {
      signal.throwIfAborted();
      clearTimeout(idle);
      asking += 1;
      try {
        const client = await connected();
        return await client.callTool({ name: tool, arguments: args }, { signal, timeout: timeoutMs });
      } finally {
        asking -= 1;
        closeWhenIdle();
      }
    },
  };
}

const LOST: ReadonlySet<string> = new Set([SdkErrorCode.NotConnected, SdkErrorCode.ConnectionClosed, SdkErrorCode.SendFailed]);

/** What it means that a call came to no answer. */
export function failureOfCall(error: unknown): Failure {
  const detail = messageOf(error);
  if (error instanceof BusyError) return classifyAnswer(error.answer);
  if (error instanceof UnauthorizedError) return classifyAnswer({ status: 401, word: '', message: detail, retryAfterMs: undefined });
  if (error instanceof SdkHttpError) return classifyAnswer({ status: error.status, word: '', message: detail, retryAfterMs: undefined });
  if (error instanceof SdkError && error.code === SdkErrorCode.RequestTimeout)
    return { kind: 'broken', code: 'timeout', retryable: true, detail };
  if (error instanceof SdkError && LOST.has(error.code)) return { kind: 'broken', code: 'connection_lost', retryable: true, detail };
  if (error instanceof ProtocolError) return { kind: 'refused', code: 'mcp_refused', retryable: false, detail };
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT' || code === 'EACCES') return { kind: 'refused', code: 'server_not_started', retryable: false, detail };
  return classifySocket(error) ?? { kind: 'refused', code: 'unexpected_answer', retryable: false, detail };
}
