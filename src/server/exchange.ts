import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { UploadError } from '../domain/errors.ts';

/** Nobody waits for an answer any more. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
}

/** One request while it is under way. */
export interface Exchange {
  operationId: string;
  /** Aborts when the client goes, or is cut off. */
  readonly signal: AbortSignal;
  abort(reason: Error): void;
  /** For the log, which names no files: the pattern of the path. */
  route: string | null;
  tool: string | null;
}

/** The time after which nobody waits for the rest: RFC 9110, 15.5.9. */
export const tooSlow = (idleMs: number) =>
  new UploadError(`No byte came for ${idleMs / 1000} s`, { code: 'body_timeout', retryable: true });

export function beginExchange(outgoing: ServerResponse): Exchange {
  const controller = new AbortController();
  const abort = (reason: Error) => controller.abort(reason);
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) abort(new ClientGone('the client has gone'));
  });
  return { operationId: randomUUID(), signal: controller.signal, abort, route: null, tool: null };
}
