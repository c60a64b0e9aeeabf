import { setTimeout as sleep } from 'node:timers/promises';
import type { Capabilities } from '../domain/capabilities.ts';
import { FileManagementError, UploadError } from '../domain/errors.ts';
import { createGeminiUploads, type GeminiFile, storedObject } from './gemini-upload.ts';
import { createHttp } from './http.ts';
import { accountOf, createMarkedVendor, notDownloadable } from './marked-vendor.ts';
import type { Provider, StoredObject } from './provider.ts';
import type { VendorOptions } from './vendor.ts';
import { callLimits, transferLimits } from './watchdog.ts';

export interface GeminiOptions extends VendorOptions {
  apiKey: string;
  baseUrl: string;
}

const GB = 1024 ** 3;
const PAGE = 100;
const API = '/v1beta';

/** Limits: https://ai.google.dev/gemini-api/docs/files */
const capabilitiesOf = (maxFileBytes: number): Capabilities => ({
  maxFileBytes: Math.min(maxFileBytes, 2 * GB),
  minFileBytes: 0,
  downloads: false,
  ranges: false,
  purposes: null,
  quota: { files: null, bytes: 20 * GB },
  expiresAfterSeconds: 48 * 3600,
});

/**
 * Files at Gemini; an id is `files/…`. Without its SDK, which takes no transport from outside: its calls would have other limits,
 * another abort and other errors than the rest.
 */
export function createGemini(options: GeminiOptions): Provider {
  const { apiKey, baseUrl, timeouts } = options;
  const base = new URL(baseUrl);
  const http = createHttp({
    base,
    headers: { 'x-goog-api-key': apiKey },
    speaker: {
      provider: 'gemini',
      where: base.host,
      secrets: [apiKey],
      advice: {
        unauthorized: 'Set GEMINI_API_KEY to a key of a project that may use the Gemini API',
        connection_refused: 'Check GEMINI_BASE_URL and the network',
        host_not_found: 'Check GEMINI_BASE_URL and the network',
        unexpected_answer: 'Check GEMINI_BASE_URL: it must be the address of the API',
      },
    },
  });
  const limits = callLimits(timeouts);
  const uploads = createGeminiUploads(http, timeouts);
  const fileOf = (id: string, signal: AbortSignal) =>
    http.json<GeminiFile>({ operation: 'info', method: 'GET', path: `${API}/${id}`, signal, limits });
  const remove = (id: string, signal: AbortSignal) =>
    http.call({ operation: 'delete', method: 'DELETE', path: `${API}/${id}`, signal, limits });

  /** A file can be used when it was processed; one whose processing failed is taken away. */
  async function processed(file: GeminiFile, sizeBytes: number, signal: AbortSignal): Promise<GeminiFile> {
    const until = performance.now() + transferLimits(timeouts, sizeBytes).totalMs;
    let latest = file;
    for (let waitMs = 200; latest.state === 'PROCESSING'; waitMs = Math.min(2 * waitMs, 5000)) {
      if (performance.now() + waitMs > until)
        throw http.failure('upload', { kind: 'broken', code: 'timeout', retryable: true, detail: `${file.name} is still being processed` });
      await sleep(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
      latest = await fileOf(file.name, signal);
    }
    if (latest.state !== 'FAILED') return latest;
    await remove(file.name, signal);
    throw new UploadError(`gemini could not process the file${latest.error?.message === undefined ? '' : `: ${latest.error.message}`}`, {
      code: 'processing_failed',
      provider: 'gemini',
    });
  }

  return createMarkedVendor({
    ...options,
    name: 'gemini',
    account: accountOf(baseUrl, apiKey),
    capabilities: capabilitiesOf(options.maxFileBytes),
    http,
    isId: /^files\/[\w-]+$/,
    calls: {
      async create(sending) {
        const { body, signal } = sending.request;
        return storedObject(await processed(await uploads.send(sending), body.sizeBytes, signal));
      },
      async info(id, signal): Promise<StoredObject | null> {
        try {
          return storedObject(await fileOf(id, signal));
        } catch (error) {
          // Gemini does not tell a file that is gone from one of somebody else.
          if (error instanceof FileManagementError && (error.code === 'not_found' || error.code === 'no_permission')) return null;
          throw error;
        }
      },
      remove,
      async page(after, signal) {
        const token = after === null ? '' : `&pageToken=${encodeURIComponent(after)}`;
        const path = `${API}/files?pageSize=${PAGE}${token}`;
        const { files = [], nextPageToken } = await http.json<{ files?: GeminiFile[]; nextPageToken?: string }>({
          ...{ operation: 'list', method: 'GET', path, signal, limits },
        });
        return { objects: files.filter(({ state }) => state !== 'FAILED').map(storedObject), next: nextPageToken || null };
      },
      async download() {
        throw notDownloadable('gemini', 'what was uploaded there can be used and not be read');
      },
    },
  });
}
