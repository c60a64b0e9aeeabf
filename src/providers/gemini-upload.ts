import { FileManagementError } from '../domain/errors.ts';
import { fileIn } from './answers.ts';
import { readBody } from './body-reader.ts';
import { parsed } from './form-upload.ts';
import type { Http, HttpAnswer } from './http.ts';
import type { Sending } from './marked-vendor.ts';
import { counted } from './progress.ts';
import { type StoredObject, storedObjectOf } from './provider.ts';
import { type CallTimeouts, callLimits, transferLimits } from './watchdog.ts';

/** https://ai.google.dev/api/files#File, as far as it is used. */
export interface GeminiFile {
  /** `files/…` */
  name: string;
  displayName?: string;
  mimeType?: string;
  /** A number as text. */
  sizeBytes?: string;
  createTime?: string;
  expirationTime?: string;
  sha256Hash?: string;
  state?: 'PROCESSING' | 'ACTIVE' | 'FAILED';
  error?: { message?: string };
}

/** Chunks are multiples of 256 KiB, but for the last. */
const CHUNK_BYTES = 8 * 1024 * 1024;
const START = '/upload/v1beta/files';

/** Where an upload goes on after the death of a worker. The content is named, so that no other one is appended to it. */
interface Checkpoint {
  /** Path and query: the key goes to no other host. */
  path: string;
  sha256: string;
  marker: string;
}

/** Resumable uploads: https://ai.google.dev/gemini-api/docs/files#upload_a_file, protocol `resumable`. */
export function createGeminiUploads(http: Http, timeouts: CallTimeouts) {
  async function start({ request, filename }: Sending): Promise<Checkpoint> {
    const { body, mimeType, sha256, marker, signal } = request;
    const answer = await http.call({
      operation: 'upload',
      method: 'POST',
      path: START,
      headers: {
        'content-type': 'application/json',
        'x-goog-upload-protocol': 'resumable',
        'x-goog-upload-command': 'start',
        'x-goog-upload-header-content-length': String(body.sizeBytes),
        'x-goog-upload-header-content-type': mimeType,
      },
      body: JSON.stringify({ file: { mimeType, displayName: filename } }),
      signal,
      limits: callLimits(timeouts),
    });
    const url = URL.parse(String(answer.headers['x-goog-upload-url'] ?? ''));
    if (url === null)
      throw http.failure('upload', {
        ...{ kind: 'refused', code: 'unexpected_answer', retryable: false },
        detail: 'the server began a resumable upload without saying where',
      });
    const checkpoint = { path: url.pathname + url.search, sha256, marker };
    request.onCheckpoint?.(checkpoint);
    return checkpoint;
  }

  /** How much the server has; null when it does not know the upload (any more), or has ended it. */
  async function received(path: string, signal: AbortSignal): Promise<number | null> {
    try {
      const answer = await http.call({
        operation: 'upload',
        method: 'POST',
        path,
        headers: { 'x-goog-upload-command': 'query', 'content-length': '0' },
        signal,
        limits: callLimits(timeouts),
      });
      const size = Number(answer.headers['x-goog-upload-size-received']);
      return answer.headers['x-goog-upload-status'] === 'active' && Number.isSafeInteger(size) ? size : null;
    } catch (error) {
      if (error instanceof FileManagementError && ['not_found', 'rejected'].includes(error.code)) return null;
      throw error;
    }
  }

  async function sendChunks(sending: Sending, path: string, from: number): Promise<HttpAnswer> {
    const { body, sha256, signal } = sending.request;
    const reader = readBody(body, sha256, signal);
    try {
      await reader.skipTo(from);
      for (let offset = from; ; offset += CHUNK_BYTES) {
        const length = Math.min(CHUNK_BYTES, body.sizeBytes - offset);
        const last = offset + length >= body.sizeBytes;
        const answer = await http.call({
          operation: 'upload',
          method: 'POST',
          path,
          headers: {
            'x-goog-upload-command': last ? 'upload, finalize' : 'upload',
            'x-goog-upload-offset': String(offset),
            'content-length': String(length),
          },
          body: counted(reader.read(length), offset, sending.onProgress),
          signal,
          limits: transferLimits(timeouts, length),
        });
        if (last) return answer;
      }
    } finally {
      reader.close();
    }
  }

  return {
    /** One attempt, which goes on where an earlier one broke off. */
    async send(sending: Sending): Promise<GeminiFile> {
      const { signal, body } = sending.request;
      const left = readCheckpoint(sending.request.checkpoint, sending.request);
      const known = left === null ? null : await received(left.path, signal);
      // What the server has to its last byte but not ended cannot be gone on with: there is no byte left to end it by.
      const goesOn = left !== null && known !== null && known < body.sizeBytes;
      const { path } = goesOn ? left : await start(sending);
      const answer = await sendChunks(sending, path, goesOn ? known : 0);
      return fileIn<GeminiFile>(http, 'upload', parsed<{ file?: unknown } | null>(http, answer.text)?.file, 'name');
    },
  };
}

function readCheckpoint(checkpoint: unknown, { sha256, marker }: { sha256: string; marker: string }): Checkpoint | null {
  const left = checkpoint as Partial<Checkpoint> | null | undefined;
  const fits = typeof left?.path === 'string' && left.path.startsWith('/') && left.sha256 === sha256 && left.marker === marker;
  return fits ? (left as Checkpoint) : null;
}

export const storedObject = (file: GeminiFile): StoredObject =>
  storedObjectOf({
    id: file.name,
    sizeBytes: Number(file.sizeBytes ?? 0),
    mimeType: file.mimeType ?? null,
    createdAt: file.createTime ?? null,
    name: file.displayName ?? null,
    sha256: hexOf(file.sha256Hash),
    expiresAt: file.expirationTime ?? null,
    downloadable: false,
  });

/** Documented as base64 of the hash; base64 of its hex text is seen, too. Null for what is neither. */
export function hexOf(base64: string | undefined): string | null {
  if (base64 === undefined) return null;
  const bytes = Buffer.from(base64, 'base64');
  const text = bytes.length === 32 ? bytes.toString('hex') : bytes.toString('latin1').toLowerCase();
  return /^[0-9a-f]{64}$/.test(text) ? text : null;
}
