import OpenAI from 'openai';
import { nullIfMissing, type Operation } from './failure.ts';
import type { Http } from './http.ts';
import { filesOf, type WireFile, type WirePage } from './openai-shape.ts';
import { sdkFetch, unwrapped } from './sdk-fetch.ts';
import type { Limits } from './watchdog.ts';

/** The SDK's longest: ours are the limits that count. */
const NO_TIMEOUT_MS = 2 ** 31 - 1;

/** The small calls of OpenAI's file API, each one attempt, by its SDK over our transport. */
export interface OpenAiCalls {
  /** Null where there is no such file. */
  retrieve(id: string, signal: AbortSignal): Promise<WireFile | null>;
  remove(id: string, signal: AbortSignal): Promise<unknown>;
  list(query: { after?: string; limit?: number; order?: 'asc' }, signal: AbortSignal): Promise<WirePage>;
  client(operation: Operation, signal: AbortSignal): OpenAI;
}

export function createOpenAiCalls({ http, base, apiKey, limits }: { http: Http; base: URL; apiKey: string; limits: Limits }): OpenAiCalls {
  const client = (operation: Operation, signal: AbortSignal) =>
    new OpenAI({
      apiKey,
      baseURL: base.href,
      maxRetries: 0,
      timeout: NO_TIMEOUT_MS,
      logLevel: 'off',
      // Given, so that the SDK does not look for them in the environment.
      ...{ adminAPIKey: null, organization: null, project: null, webhookSecret: null },
      fetch: sdkFetch(http, { base, operation, signal, limits }),
    });
  /** The SDK makes an empty list of whatever it cannot read. */
  const read = async <T>(operation: Operation, answer: Promise<Response>): Promise<T> => {
    try {
      return (await (await answer).json()) as T;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw http.failure(operation, { kind: 'refused', code: 'unexpected_answer', retryable: false, detail: 'the answer is no JSON' });
    }
  };
  return {
    client,
    retrieve: (id, signal) =>
      nullIfMissing(read<WireFile>('info', unwrapped(client('info', signal).files.retrieve(id).asResponse(), signal))),
    remove: (id, signal) => unwrapped(client('delete', signal).files.delete(id).asResponse(), signal),
    list: async (query, signal) =>
      filesOf(await read('list', unwrapped(client('list', signal).files.list(query).asResponse(), signal)), http),
  };
}
