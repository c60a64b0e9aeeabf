import { createHash, type Hash } from 'node:crypto';
import { hasCode } from '../domain/errors.ts';
import { type BodyMark, readBody, startOfBody } from './body-reader.ts';
import { parsed } from './form-upload.ts';
import type { Http } from './http.ts';
import type { Sending } from './marked-vendor.ts';
import { multipartForm } from './multipart.ts';
import type { OpenAiCalls } from './openai-calls.ts';
import { madeFile, type WireFile } from './openai-shape.ts';
import { counted } from './progress.ts';
import { type RetryPolicy, withRetries } from './retry.ts';
import { unwrapped } from './sdk-fetch.ts';
import { type CallTimeouts, transferLimits } from './watchdog.ts';

/** The most that a part may have: https://platform.openai.com/docs/api-reference/uploads/add-part */
export const PART_BYTES = 64 * 1024 * 1024;

/** Where another worker goes on. The content is named, so that no other one is added to it, and the marker by which it will be found. */
interface Checkpoint {
  uploadId: string;
  marker: string;
  /** Ids of the parts that were taken, in order. */
  parts: string[];
  sha256: string;
}

export interface UploadsInParts {
  http: Http;
  calls: OpenAiCalls;
  timeouts: CallTimeouts;
  /** Counted for each part. */
  retry: RetryPolicy;
}

/**
 * Uploads a large file in parts of 64 MiB, going on where an earlier attempt stopped as long as the server keeps it (an hour).
 * The function resolves to null where the server does not have such uploads.
 */
export function createUploadsInParts({ http, calls, timeouts, retry }: UploadsInParts): (sending: Sending) => Promise<WireFile | null> {
  const lost = (what: string) => http.failure('upload', { kind: 'broken', code: 'upload_expired', retryable: true, detail: what });
  const uploads = (signal: AbortSignal) => calls.client('upload', signal).uploads;

  async function begin({ request, filename, purpose }: Sending): Promise<Checkpoint | null> {
    const { body, mimeType, sha256, marker, signal } = request;
    // The SDK's purposes are those of today; a caller's word is the server's to judge.
    const wanted = { bytes: body.sizeBytes, filename, mime_type: mimeType, purpose: purpose as 'user_data' };
    try {
      const { id } = madeFile(await withRetries(retry, signal, () => unwrapped(uploads(signal).create(wanted), signal)), http);
      return { uploadId: id, marker, parts: [], sha256 };
    } catch (error) {
      if (hasCode(error, 'not_found', 'not_supported')) return null;
      throw error;
    }
  }

  /** Sends what is missing. @returns the MD5 of the whole, by which the server checks what all workers sent */
  async function sendParts({ request, onProgress }: Sending, upload: Checkpoint): Promise<string> {
    const { body, sha256, signal } = request;
    let read: { mark: BodyMark; md5: Hash } = { mark: startOfBody(), md5: createHash('md5') };
    /** Reads on to `start`, which the server has, and hands over a reader of what follows. */
    async function readingFrom<T>(start: number, use: (next: (length: number) => AsyncIterable<Uint8Array>) => Promise<T>): Promise<T> {
      const reader = readBody(body, sha256, signal, read.mark);
      const md5 = read.md5.copy();
      async function* next(length: number) {
        for await (const chunk of reader.read(length)) {
          md5.update(chunk);
          yield chunk;
        }
      }
      try {
        for await (const _ of next(start - read.mark.position));
        read = { mark: reader.mark(), md5: md5.copy() };
        const result = await use(next);
        read = { mark: reader.mark(), md5 };
        return result;
      } finally {
        reader.close();
      }
    }
    while (upload.parts.length * PART_BYTES < body.sizeBytes) {
      const start = upload.parts.length * PART_BYTES;
      const sizeBytes = Math.min(PART_BYTES, body.sizeBytes - start);
      const limits = transferLimits(timeouts, sizeBytes);
      const id = await withRetries({ ...retry, budgetMs: limits.totalMs }, signal, () =>
        readingFrom(start, async (next) => {
          const form = multipartForm({}, { field: 'data', filename: 'part', mimeType: 'application/octet-stream', sizeBytes });
          const { text } = await http.call({
            operation: 'upload',
            method: 'POST',
            path: `/uploads/${encodeURIComponent(upload.uploadId)}/parts`,
            headers: { 'content-type': form.contentType, 'content-length': String(form.contentLength) },
            body: form.chunks(counted(next(sizeBytes), start, onProgress)),
            signal,
            limits,
          });
          return madeFile(parsed<Partial<WireFile>>(http, text), http).id;
        }),
      );
      upload.parts.push(id);
      request.onCheckpoint?.({ ...upload, parts: [...upload.parts] });
    }
    if (read.mark.position < body.sizeBytes) await readingFrom(body.sizeBytes, async () => {});
    return read.md5.digest('hex');
  }

  return async function upload(sending) {
    const { request } = sending;
    const { signal } = request;
    const left = readCheckpoint(request);
    const current = left ?? (await begin(sending));
    if (current === null) return null;
    if (left === null) request.onCheckpoint?.(current);
    try {
      const md5 = await sendParts(sending, current);
      const done = await withRetries(retry, signal, () =>
        unwrapped(uploads(signal).complete(current.uploadId, { part_ids: current.parts, md5 }), signal),
      );
      return madeFile(done.file ?? null, http);
    } catch (error) {
      if (hasCode(error, 'file_changed')) await unwrapped(uploads(signal).cancel(current.uploadId), signal).catch(() => {}); // it expires
      // Expired, or complete already although its answer was lost: whoever calls looks for the file, and begins anew where there is none.
      // What the source of the bytes says is no word on the upload.
      if (!hasCode(error, 'not_found', 'rejected', 'conflict') || error.provider !== 'openai') throw error;
      request.onCheckpoint?.(null);
      throw lost(`the upload in parts is not known any more: ${(error as Error).message}`);
    }
  };
}

function readCheckpoint({ checkpoint, sha256, marker }: Sending['request']): Checkpoint | null {
  const left = checkpoint as Partial<Checkpoint> | null | undefined;
  if (typeof left?.uploadId !== 'string' || left.sha256 !== sha256 || left.marker !== marker) return null;
  const isList = Array.isArray(left.parts) && left.parts.every((id) => typeof id === 'string');
  return isList ? { uploadId: left.uploadId, marker, parts: [...(left.parts as string[])], sha256 } : null;
}
