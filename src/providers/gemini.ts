import { setTimeout as sleep } from 'node:timers/promises';
import type { Capabilities } from '../domain/capabilities.ts';
import { fileIn, filesIn } from './answers.ts';
import { checkApiKey } from './api-key.ts';
import { nullIfMissing } from './failure.ts';
import { createGeminiUploads, type GeminiFile, storedObject } from './gemini-upload.ts';
import { createHttp } from './http.ts';
import { accountOf, createMarkedVendor, notDownloadable } from './marked-vendor.ts';
import type { Provider, StoredObject } from './provider.ts';
import { type RetryPolicy, withRetries } from './retry.ts';
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
  uses: ['extract', 'vision', 'voice', 'batch'],
  resumes: true,
  quota: { files: null, bytes: 20 * GB },
  expiresAfterSeconds: 48 * 3600,
});

/**
 * Files at Gemini; an id is `files/…`. Without its SDK, which takes no transport from outside: its calls would have other limits,
 * another abort and other errors than the rest.
 */
export function createGemini(options: GeminiOptions): Provider {
  const { apiKey, baseUrl, timeouts } = options;
  checkApiKey('gemini', 'GEMINI_API_KEY', apiKey);
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
  const retry: RetryPolicy = { maxRetries: options.maxRetryAttempts, budgetMs: timeouts.callMs };
  const uploads = createGeminiUploads(http, timeouts);
  const fileOf = async (id: string, signal: AbortSignal) =>
    fileIn<GeminiFile>(http, 'info', await http.json({ operation: 'info', method: 'GET', path: `${API}/${id}`, signal, limits }), 'name');
  const remove = (id: string, signal: AbortSignal) =>
    http.json({ operation: 'delete', method: 'DELETE', path: `${API}/${id}`, signal, limits });

  /** A file can be used when it was processed; one whose processing failed is taken away. */
  async function processed(id: string, sizeBytes: number, signal: AbortSignal): Promise<StoredObject> {
    const until = performance.now() + transferLimits(timeouts, sizeBytes).totalMs;
    for (let waitMs = 200; ; waitMs = Math.min(2 * waitMs, 5000)) {
      const file = await withRetries(retry, signal, () => fileOf(id, signal));
      if (file.state === 'FAILED') {
        await withRetries(retry, signal, () => remove(id, signal));
        const why = file.error?.message === undefined ? '' : `: ${file.error.message}`;
        throw http.failure('upload', {
          ...{ kind: 'refused', code: 'processing_failed', retryable: false },
          detail: `the file could not be processed there${why}`,
        });
      }
      if (file.state !== 'PROCESSING') return storedObject(file);
      if (performance.now() + waitMs > until)
        throw http.failure('upload', { kind: 'broken', code: 'timeout', retryable: true, detail: `${id} is still being processed` });
      await sleep(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }

  const marked = createMarkedVendor({
    ...options,
    name: 'gemini',
    account: accountOf(baseUrl, apiKey),
    capabilities: capabilitiesOf(options.maxFileBytes),
    http,
    isId: /^files\/[\w-]+$/,
    calls: {
      create: async (sending) => storedObject(await uploads.send(sending)),
      info: (id, signal) => nullIfMissing(fileOf(id, signal).then(storedObject)),
      remove,
      async page(after, signal) {
        const token = after === null ? '' : `&pageToken=${encodeURIComponent(after)}`;
        const path = `${API}/files?pageSize=${PAGE}${token}`;
        const { files = [], nextPageToken } = await http.json<{ files?: unknown; nextPageToken?: string }>({
          ...{ operation: 'list', method: 'GET', path, signal, limits },
        });
        return { objects: filesIn<GeminiFile>(http, files, 'name').map(storedObject), next: nextPageToken || null };
      },
      async download() {
        throw notDownloadable('gemini', 'what was uploaded there can be used and not be read');
      },
    },
  });
  return {
    ...marked,
    async upload(request) {
      const { id, sizeBytes } = await marked.upload(request);
      // Of one that an earlier attempt left, too: it may be under way still, or have failed.
      return await processed(id, sizeBytes, request.signal);
    },
  };
}
