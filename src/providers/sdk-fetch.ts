import type { Operation } from './failure.ts';
import type { Http } from './http.ts';
import type { Limits } from './watchdog.ts';

/** Carries our error through an SDK. Not as `cause`: the SDKs read causes, and make a timeout of their own of what sounds like one. */
class TransportFailure extends Error {
  override readonly name = 'TransportFailure';
  readonly failure: unknown;
  constructor(failure: unknown) {
    super('the transport failed');
    this.failure = failure;
  }
}

/**
 * A `fetch` for a vendor's SDK that goes through our transport, so that its small calls have the same classification, limits and
 * abort as the bytes. The SDK's own retries are to be off.
 */
export function sdkFetch(http: Http, call: { base: URL; operation: Operation; signal: AbortSignal; limits: Limits }): typeof fetch {
  const root = call.base.pathname.replace(/\/+$/, '');
  return async (input, init = {}) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const answer = await http
      .call({
        operation: call.operation,
        method: (init.method ?? 'GET').toUpperCase() as 'GET',
        path: url.pathname.slice(root.length) + url.search,
        headers: typeof init.body === 'string' ? { 'content-type': 'application/json' } : {},
        ...(typeof init.body === 'string' ? { body: init.body } : {}),
        signal: call.signal,
        limits: call.limits,
      })
      .catch((error: unknown) => {
        throw new TransportFailure(error);
      });
    // A deletion may be answered by nothing. What else is no JSON the SDKs quote in their errors, or make an empty list of it.
    if (!isJson(answer.text) && !(call.operation === 'delete' && answer.text === ''))
      throw new TransportFailure(
        http.failure(call.operation, { kind: 'refused', code: 'unexpected_answer', retryable: false, detail: 'the answer is no JSON' }),
      );
    const headers = Object.entries(answer.headers).flatMap(([name, value]) =>
      [value ?? []].flat().map((each) => [name, each] as [string, string]),
    );
    return new Response(answer.status === 204 ? null : answer.text, { status: answer.status, headers });
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** What our transport threw inside an SDK's call, which the SDK has wrapped. */
export async function unwrapped<T>(call: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await call;
  } catch (error) {
    signal.throwIfAborted();
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
      if (cause instanceof TransportFailure) throw cause.failure;
    throw error;
  }
}
