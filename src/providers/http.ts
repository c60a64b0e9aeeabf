import type { IncomingHttpHeaders } from 'node:http';
import { Agent, type Dispatcher, errors } from 'undici';
import { FileManagementError } from '../domain/errors.ts';
import { classifyAnswer, classifySocket, type Failure, readErrorAnswer } from './classify.ts';
import { errorFrom, type Operation, type Speaker, withoutSecrets } from './failure.ts';
import { type CallTimeouts, callLimits, type Limits, startWatchdog, TimeoutReached, transferLimits, type Watchdog } from './watchdog.ts';

export interface HttpRequest {
  operation: Operation;
  method: Dispatcher.HttpMethod;
  /** Below the base URL, escaped. */
  path: string;
  /** Another host than the base URL's, where a vendor has one for each bucket. */
  origin?: string;
  headers?: Record<string, string>;
  /** A stream needs a content-length among the headers. */
  body?: string | Uint8Array | AsyncIterable<Uint8Array>;
  signal: AbortSignal;
  limits: Limits;
}

type Exchange = Omit<HttpRequest, 'limits'>;

export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

export interface HttpStream {
  status: number;
  headers: IncomingHttpHeaders;
  /** Breaks off with a classified error. To be read to its end, or the request's signal aborted: it holds a connection. */
  chunks: AsyncIterable<Uint8Array>;
  /** Closes the connection unread. */
  cancel(): void;
}

export interface Http {
  /** Resolves on 2xx; every other answer, a broken connection and a passed limit is thrown as a FileManagementError. */
  call(request: HttpRequest): Promise<HttpAnswer>;
  /** As `call`, the answer parsed; one that is no JSON is `unexpected_answer`. The shape is the vendor's word. */
  json<T>(request: HttpRequest): Promise<T>;
  /** As `call`, with the body of the answer as a stream, which is a transfer of the length that the answer announces. */
  stream(request: Omit<HttpRequest, 'limits'> & { timeouts: CallTimeouts }): Promise<HttpStream>;
  /** The error for something that only the vendor's code can see. */
  failure(operation: Operation, failure: Failure): FileManagementError;
}

export interface HttpOptions {
  base: URL;
  /** With every request. They carry the credentials, and so never enter an error. */
  headers: Record<string, string>;
  speaker: Speaker;
}

/** An error says what it has to say in so much. */
const ERROR_BYTES = 64 * 1024;
/** The longest answer to a call: a whole account that some servers list at once, and no stream without an end. */
const ANSWER_BYTES = 64 * 1024 * 1024;

/**
 * HTTP for providers. Bytes go by undici.request, because global fetch keeps the body of a streamed request in memory.
 * Redirects are not followed: they would carry credentials away. Timeouts are the watchdog's alone.
 */
export function createHttp({ base, headers, speaker }: HttpOptions): Http {
  const agent = new Agent({ connect: { timeout: 10_000 }, headersTimeout: 0, bodyTimeout: 0 });
  const root = base.pathname.replace(/\/+$/, '');

  async function open(request: Exchange, watchdog: Watchdog): Promise<Dispatcher.ResponseData> {
    const source = { error: undefined as unknown };
    const body =
      typeof request.body === 'object' && Symbol.asyncIterator in request.body ? watched(request.body, watchdog, source) : request.body;
    try {
      return await agent.request({
        origin: request.origin ?? base.origin,
        path: root + request.path,
        method: request.method,
        headers: { ...headers, ...request.headers },
        // undici takes async iterables (its documentation says so); its types do not know.
        body: (body ?? null) as Dispatcher.DispatchOptions['body'] & null,
        signal: watchdog.signal,
      });
    } catch (error) {
      throw source.error ?? error;
    }
  }
  async function textOf(answer: Dispatcher.ResponseData, watchdog: Watchdog, atMost: number): Promise<string> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of answer.body) {
      watchdog.touch();
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= atMost) break;
    }
    return Buffer.concat(chunks).toString('utf8');
  }
  async function refuse(answer: Dispatcher.ResponseData, request: Exchange, watchdog: Watchdog): Promise<never> {
    // The connection may break while the error's body is read; its status says enough.
    const text = withoutSecrets(await textOf(answer, watchdog, ERROR_BYTES).catch(() => ''), speaker.secrets);
    request.signal.throwIfAborted();
    const one = (name: string) => [answer.headers[name]].flat()[0];
    const headers = {
      'retry-after': one('retry-after'),
      'retry-after-ms': one('retry-after-ms'),
      'x-should-retry': one('x-should-retry'),
    };
    const error = readErrorAnswer(answer.statusCode, headers, text, Date.now());
    throw errorFrom(classifyAnswer(error), request.operation, speaker);
  }
  /** What a thrown error means: the caller's abort first, then an error made where its cause was known, then limits, then sockets. */
  function explain(error: unknown, request: Exchange, watchdog: Watchdog): unknown {
    if (request.signal.aborted) return request.signal.reason;
    if (error instanceof FileManagementError) return error;
    const reached = watchdog.signal.reason;
    if (reached instanceof TimeoutReached)
      return errorFrom({ kind: 'broken', code: 'timeout', retryable: true, detail: reached.message }, request.operation, speaker, reached);
    const failure = classifySocket(error);
    forgetBytes(error);
    return failure === null ? error : errorFrom(failure, request.operation, speaker, error);
  }

  const failure = (operation: Operation, what: Failure) => errorFrom(what, operation, speaker);

  async function call(request: HttpRequest): Promise<HttpAnswer> {
    const watchdog = startWatchdog(request.signal, request.limits);
    try {
      const answer = await open(request, watchdog);
      watchdog.touch();
      if (answer.statusCode < 200 || answer.statusCode > 299) return await refuse(answer, request, watchdog);
      const text = await textOf(answer, watchdog, ANSWER_BYTES);
      if (Buffer.byteLength(text) >= ANSWER_BYTES)
        throw failure(request.operation, { kind: 'refused', code: 'unexpected_answer', retryable: false, detail: 'the answer has no end' });
      return { status: answer.statusCode, headers: answer.headers, text };
    } catch (error) {
      throw explain(error, request, watchdog);
    } finally {
      watchdog.stop();
    }
  }

  return {
    call,
    failure,
    async json<T>(request: HttpRequest): Promise<T> {
      const { text } = await call(request);
      try {
        return JSON.parse(text) as T;
      } catch {
        throw failure(request.operation, { kind: 'refused', code: 'unexpected_answer', retryable: false, detail: 'the answer is no JSON' });
      }
    },
    async stream(request) {
      const watchdog = startWatchdog(request.signal, callLimits(request.timeouts));
      try {
        const answer = await open(request, watchdog);
        if (answer.statusCode < 200 || answer.statusCode > 299) return await refuse(answer, request, watchdog);
        watchdog.restart(transferLimits(request.timeouts, Number(answer.headers['content-length'] ?? Number.POSITIVE_INFINITY)));
        watchdog.pause();
        return {
          status: answer.statusCode,
          headers: answer.headers,
          chunks: received(answer, request, watchdog),
          cancel() {
            watchdog.stop();
            answer.body.on('error', () => {}).destroy();
          },
        };
      } catch (error) {
        watchdog.stop();
        throw explain(error, request, watchdog);
      }
    },
  };

  async function* received(answer: Dispatcher.ResponseData, request: Exchange, watchdog: Watchdog): AsyncGenerator<Uint8Array> {
    try {
      watchdog.touch();
      for await (const chunk of answer.body) {
        watchdog.pause();
        yield chunk;
        watchdog.touch();
      }
    } catch (error) {
      throw explain(error, request, watchdog);
    } finally {
      watchdog.stop();
      answer.body.destroy();
    }
  }
}

/** undici's parser keeps what it could not read, in which a server may have repeated a key. */
function forgetBytes(error: unknown): void {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (cause instanceof errors.HTTPParserError) Object.assign(cause, { data: undefined });
}

/** Each pull by the socket is a sign of life. Keeps the error of the source, which undici may wrap. */
async function* watched(body: AsyncIterable<Uint8Array>, watchdog: Watchdog, source: { error: unknown }): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body) {
      watchdog.touch();
      yield chunk;
      watchdog.touch();
    }
  } catch (error) {
    source.error = error;
    throw error;
  }
}
