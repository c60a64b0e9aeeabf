import { FileManagementError } from '../domain/errors.ts';
import { type BodyMark, type BodyReader, readBody, startOfBody } from './body-reader.ts';
import type { Http } from './http.ts';
import { counted } from './progress.ts';
import type { UploadBody } from './provider.ts';
import { type RetryPolicy, withRetries } from './retry.ts';
import { type CallTimeouts, callLimits, transferLimits } from './watchdog.ts';

/** Supabase takes parts of exactly 6 MiB, but for the last. Source: https://supabase.com/docs/guides/storage/uploads/resumable-uploads */
export const TUS_CHUNK_BYTES = 6 * 1024 * 1024;

const VERSION = { 'tus-resumable': '1.0.0' };

export interface TusUpload {
  body: UploadBody;
  sha256: string;
  metadata: Record<string, string>;
  /** With the creation and every part: Supabase reads `x-upsert` at both. */
  headers: Record<string, string>;
  signal: AbortSignal;
  retry: RetryPolicy;
  checkpoint?: unknown;
  onCheckpoint?: ((checkpoint: TusCheckpoint) => void) | undefined;
  onProgress: (bytes: number) => void;
}

/** Where an upload goes on after the death of a worker. The content is named, so that no other one is appended to it. */
export interface TusCheckpoint {
  uploadUrl: string;
  sha256: string;
}

export interface TusClient {
  /** Whether the server speaks TUS 1.0. Asked once. */
  supported(signal: AbortSignal): Promise<boolean>;
  /** Resolves when the server has taken all bytes. Goes on from the checkpoint where the server still knows it. */
  upload(upload: TusUpload): Promise<void>;
}

/** The client side of https://tus.io/protocols/resumable-upload (core, creation, termination). `path` is the creation URL's. */
export function createTus(http: Http, path: string, timeouts: CallTimeouts): TusClient {
  let supported: boolean | undefined;
  const failed = (code: string, retryable: boolean, detail: string) => http.failure('upload', { kind: 'broken', code, retryable, detail });

  async function create({ body, metadata, headers, signal, retry }: TusUpload): Promise<string> {
    const encoded = Object.entries(metadata).map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`);
    const answer = await withRetries(retry, signal, () =>
      http.call({
        operation: 'upload',
        method: 'POST',
        path,
        headers: { ...VERSION, ...headers, 'upload-length': String(body.sizeBytes), 'upload-metadata': encoded.join(',') },
        signal,
        limits: callLimits(timeouts),
      }),
    );
    // Only the last segment: behind a proxy the rest can name another host or scheme, and the key must not go there.
    const id = String(answer.headers.location ?? '')
      .replace(/[?#].*$/, '')
      .replace(/\/+$/, '')
      .split('/')
      .at(-1);
    if (!id) throw failed('unexpected_answer', false, 'the server began a resumable upload without saying where');
    return `${path}/${id}`;
  }

  /** How much the server has; null when it does not know the upload (any more). */
  async function offsetOf(uploadUrl: string, signal: AbortSignal): Promise<number | null> {
    try {
      const answer = await http.call({
        operation: 'upload',
        method: 'HEAD',
        path: uploadUrl,
        headers: VERSION,
        signal,
        limits: callLimits(timeouts),
      });
      const offset = Number(answer.headers['upload-offset']);
      return Number.isSafeInteger(offset) && offset >= 0 ? offset : null;
    } catch (error) {
      if (isGone(error)) return null;
      throw error;
    }
  }

  async function sendPart(uploadUrl: string, reader: BodyReader, upload: TusUpload): Promise<number> {
    const offset = reader.mark().position;
    const length = Math.min(TUS_CHUNK_BYTES, upload.body.sizeBytes - offset);
    const answer = await http.call({
      operation: 'upload',
      method: 'PATCH',
      path: uploadUrl,
      headers: {
        ...VERSION,
        ...upload.headers,
        'content-type': 'application/offset+octet-stream',
        'upload-offset': String(offset),
        'content-length': String(length),
      },
      body: counted(reader.read(length), offset, upload.onProgress),
      signal: upload.signal,
      limits: transferLimits(timeouts, length),
    });
    const taken = Number(answer.headers['upload-offset']);
    return Number.isSafeInteger(taken) ? taken : offset + length;
  }

  async function terminate(uploadUrl: string, signal: AbortSignal): Promise<void> {
    await http
      .call({ operation: 'upload', method: 'DELETE', path: uploadUrl, headers: VERSION, signal, limits: callLimits(timeouts) })
      .catch(() => {}); // a server without termination lets it expire
  }

  return {
    async supported(signal) {
      if (supported !== undefined) return supported;
      try {
        const answer = await http.call({
          operation: 'upload',
          method: 'OPTIONS',
          path,
          headers: VERSION,
          signal,
          limits: callLimits(timeouts),
        });
        supported = String(answer.headers['tus-version'] ?? '').includes('1.0.0');
      } catch (error) {
        if (!(error instanceof FileManagementError) || error.retryable) throw error;
        supported = false;
      }
      return supported;
    },

    async upload(upload) {
      const { body, sha256, signal } = upload;
      const size = body.sizeBytes;
      const start = async () => {
        const uploadUrl = await create(upload);
        upload.onCheckpoint?.({ uploadUrl, sha256 });
        return uploadUrl;
      };
      const left = readCheckpoint(upload.checkpoint, sha256, path);
      let url = left?.uploadUrl ?? (await start());
      /** What the server has, as far as we know; null: to be asked. */
      let offset: number | null = left === null ? 0 : null;
      let mark: BodyMark = startOfBody();
      let reader: BodyReader | undefined;

      async function part(): Promise<void> {
        if (offset === null) {
          offset = await offsetOf(url, signal);
          if (offset === null || offset > size) {
            url = await start();
            offset = 0;
          }
          // The server took it although its answer was lost: that is progress, and the next part has its own retries.
          if (offset > mark.position) return;
        }
        reader ??= readBody(body, sha256, signal, mark.position <= offset ? mark : startOfBody());
        await reader.skipTo(offset);
        mark = reader.mark();
        upload.onProgress(offset);
        if (offset < size) {
          const taken = await sendPart(url, reader, upload);
          mark = reader.mark();
          if (taken !== mark.position) throw failed('short_write', true, `the server took ${taken} of ${mark.position} bytes`);
          offset = taken;
        }
      }
      try {
        do {
          await withRetries(upload.retry, signal, async () => {
            try {
              await part();
            } catch (error) {
              reader?.close();
              reader = undefined;
              offset = null; // the part may have arrived although its answer did not
              throw isGone(error) ? failed('upload_expired', true, 'the resumable upload is not known (any more)') : error;
            }
          });
        } while (offset !== size || mark.position !== size);
      } catch (error) {
        if (error instanceof FileManagementError && error.code === 'file_changed') await terminate(url, signal);
        throw error;
      } finally {
        (reader as BodyReader | undefined)?.close();
      }
    },
  };
}

/** A server that does not know an upload says 404 or 410, and Supabase 400 to an id that it cannot read. A source that is gone is another error. */
function isGone(error: unknown): boolean {
  return error instanceof FileManagementError && error.provider === 'supabase' && (error.code === 'not_found' || error.code === 'rejected');
}

function readCheckpoint(checkpoint: unknown, sha256: string, path: string): TusCheckpoint | null {
  const left = checkpoint as Partial<TusCheckpoint> | null | undefined;
  return typeof left?.uploadUrl === 'string' && left.uploadUrl.startsWith(`${path}/`) && left.sha256 === sha256
    ? (left as TusCheckpoint)
    : null;
}
