import { setTimeout as sleep } from 'node:timers/promises';
import { FileManagementError, ValidationError } from '../domain/errors.ts';
import type { Http, HttpStream } from './http.ts';
import type { Download } from './provider.ts';
import { backoffMs, type RetryPolicy, withRetries } from './retry.ts';
import type { CallTimeouts } from './watchdog.ts';

type Transport = Pick<Http, 'stream' | 'failure'>;

export interface DownloadRequest {
  http: Transport;
  path: string;
  signal: AbortSignal;
  /** First and last byte, inclusive. */
  range?: { first: number; last: number } | undefined;
  retry: RetryPolicy;
  timeouts: CallTimeouts;
  /** Asked only when the answer has no content-length. */
  sizeOf: () => Promise<number | null>;
  /** False: the server gives the whole alone. What came before a break is then read again and thrown away. */
  ranges?: boolean;
}

/**
 * A download that goes on where its connection broke, as often as the policy allows in all: by range, or from the start where there
 * are none. Never gives out more or fewer bytes than announced: throws a retryable DownloadError instead.
 */
export async function resumingDownload(request: DownloadRequest): Promise<Download> {
  const { http, signal, range, retry } = request;
  if (range !== undefined && !(Number.isSafeInteger(range.first) && range.first >= 0 && range.last >= range.first))
    throw new ValidationError(`There is no range from byte ${range.first} to ${range.last}`, { code: 'range_not_satisfiable' });
  const byRange = request.ranges !== false;
  if (range !== undefined && !byRange)
    throw http.failure('download', {
      kind: 'invalid',
      code: 'ranges_not_supported',
      retryable: false,
      detail: 'files are given back whole alone',
    });
  const start = range?.first ?? 0;
  const opened = await withRetries(retry, signal, () => open(request, range && `bytes=${range.first}-${range.last}`));
  const length = opened.headers['content-length'];
  const whole = async () => (await request.sizeOf()) ?? 0;
  const sizeBytes = length === undefined ? Math.min(await whole(), (range?.last ?? Number.POSITIVE_INFINITY) + 1) - start : Number(length);

  async function* chunks(): AsyncGenerator<Uint8Array> {
    let received = 0;
    let stream: HttpStream | undefined = opened;
    for (let failures = 0; ; failures++) {
      try {
        stream ??= await reopen(start + received);
        for await (const chunk of stream.chunks) {
          received += chunk.byteLength;
          if (received > sizeBytes) throw wrongLength(http, received, sizeBytes);
          yield chunk;
        }
        if (received === sizeBytes) return;
        throw wrongLength(http, received, sizeBytes);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof FileManagementError) || !error.retryable || failures >= retry.maxRetries || received > sizeBytes)
          throw error;
        stream = undefined;
        await sleep(Math.max(backoffMs(failures, retry), error.retryAfterMs ?? 0), undefined, { signal }).catch(() =>
          signal.throwIfAborted(),
        );
      }
    }
  }
  async function reopen(first: number): Promise<HttpStream> {
    const stream = await open(request, byRange ? `bytes=${first}-${start + sizeBytes - 1}` : undefined).catch((error) => {
      const isEnd = error instanceof FileManagementError && error.code === 'range_not_satisfiable';
      throw isEnd ? wrongLength(http, first - start, sizeBytes) : error;
    });
    const isOther = stream.headers.etag !== opened.headers.etag || (!byRange && stream.headers['content-length'] !== length);
    if (isOther) {
      stream.cancel();
      throw http.failure('download', {
        kind: 'broken',
        code: 'object_changed',
        retryable: false,
        detail: 'the object was replaced meanwhile',
      });
    }
    return byRange ? stream : { ...stream, chunks: without(first, stream.chunks) };
  }
  return { sizeBytes, mimeType: opened.headers['content-type'] ?? null, chunks: chunks() };
}

async function open({ http, path, signal, timeouts }: DownloadRequest, range: string | undefined): Promise<HttpStream> {
  // Identity: a compressed answer would have another length than the object.
  const headers = { 'accept-encoding': 'identity', ...(range === undefined ? {} : { range }) };
  const stream = await http.stream({ operation: 'download', method: 'GET', path, headers, signal, timeouts });
  if (range !== undefined && stream.status !== 206) {
    stream.cancel();
    throw http.failure('download', {
      kind: 'refused',
      code: 'ranges_not_supported',
      retryable: false,
      detail: 'the server answered a range with the whole',
    });
  }
  return stream;
}

/** All but the first bytes. */
async function* without(bytes: number, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let left = bytes;
  for await (const chunk of chunks) {
    const piece = chunk.subarray(left);
    left = Math.max(0, left - chunk.byteLength);
    if (piece.byteLength > 0) yield piece;
  }
}

function wrongLength(http: Transport, received: number, announced: number): FileManagementError {
  const detail = `${received} of ${announced} bytes came`;
  return http.failure('download', { kind: 'broken', code: 'wrong_length', retryable: true, detail });
}
