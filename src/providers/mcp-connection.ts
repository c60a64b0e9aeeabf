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
import { classifyAnswer, classifySocket, type ErrorAnswer, type Failure } from './classify.ts';
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

  /** @param timeoutMs of each of the questions by which a connection begins */
  function connected(timeoutMs: number): Promise<Client> {
    if (current !== null) return current;
    const client = new Client({ name: 'cutover', version: '1' }, { versionNegotiation: { mode: 'auto' } });
    const opening = (async () => {
      await client.connect(await open(), { timeout: timeoutMs });
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
  function leave(opened: Promise<Client>): void {
    current = null;
    opened.then((client) => client.close()).catch(() => undefined);
  }
  function closeWhenIdle(): void {
    const opened = current;
    if (asking > 0 || opened === null) return;
    idle = setTimeout(() => leave(opened), IDLE_MS);
  }

  return {
    async call(tool, args, { signal, timeoutMs }) {
      signal.throwIfAborted();
      clearTimeout(idle);
      asking += 1;
      try {
        const opened = connected(timeoutMs);
        // Others may wait for the same connection: only this waiting ends.
        const client = await unlessAborted(opened, signal);
        try {
          return await client.callTool({ name: tool, arguments: args }, { signal, timeout: timeoutMs });
        } catch (error) {
          if (current === opened && error instanceof SdkHttpError && error.status === 404) leave(opened);
          throw error;
        }
      } finally {
        asking -= 1;
        closeWhenIdle();
      }
    },
  };
}

const LOST: ReadonlySet<string> = new Set([SdkErrorCode.NotConnected, SdkErrorCode.ConnectionClosed, SdkErrorCode.SendFailed]);

/** The work, or the signal's reason as soon as that comes. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/** An answer of HTTP is about the server, or its session with us: of a file it says nothing, and least of all that there is none. */
function failureOfHttp(answer: ErrorAnswer): Failure {
  const failure = classifyAnswer(answer);
  return failure.kind === 'missing' ? { ...failure, kind: 'unavailable', code: 'server_not_found', retryable: true } : failure;
}
const answerOf = (status: number, message: string): ErrorAnswer => ({ status, word: '', message, retryAfterMs: undefined });

/** What it means that a call came to no answer. */
export function failureOfCall(error: unknown): Failure {
  const detail = messageOf(error);
  if (error instanceof BusyError) return failureOfHttp(error.answer);
  if (error instanceof UnauthorizedError) return failureOfHttp(answerOf(401, detail));
  if (error instanceof SdkHttpError) return failureOfHttp(answerOf(error.status, detail));
  if (error instanceof SdkError && error.code === SdkErrorCode.RequestTimeout)
    return { kind: 'broken', code: 'timeout', retryable: true, detail };
  if (error instanceof SdkError && LOST.has(error.code)) return { kind: 'broken', code: 'connection_lost', retryable: true, detail };
  if (error instanceof ProtocolError) return { kind: 'refused', code: 'mcp_refused', retryable: false, detail };
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT' || code === 'EACCES') return { kind: 'refused', code: 'server_not_started', retryable: false, detail };
  return classifySocket(error) ?? { kind: 'refused', code: 'unexpected_answer', retryable: false, detail };
}
