import Anthropic from '@anthropic-ai/sdk';
import type { FileMetadata } from '@anthropic-ai/sdk/resources/files';
import type { Capabilities } from '../domain/capabilities.ts';
import { fileIn, filesIn } from './answers.ts';
import { checkApiKey } from './api-key.ts';
import { resumingDownload } from './download.ts';
import { nullIfMissing, type Operation } from './failure.ts';
import { uploadForm } from './form-upload.ts';
import { createHttp } from './http.ts';
import { accountOf, createMarkedVendor, notDownloadable } from './marked-vendor.ts';
import { type Provider, type StoredObject, storedObjectOf } from './provider.ts';
import { type RetryPolicy, withRetries } from './retry.ts';
import { sdkFetch, unwrapped } from './sdk-fetch.ts';
import type { VendorOptions } from './vendor.ts';
import { callLimits } from './watchdog.ts';

export interface AnthropicOptions extends VendorOptions {
  apiKey: string;
  /** Without `/v1`. */
  baseUrl: string;
}

const MB = 1024 * 1024;
const PAGE = 100;
const VERSION = { 'anthropic-version': '2023-06-01' };

/** Limits: https://platform.claude.com/docs/en/build-with-claude/files (500 MB a file; an organisation's bytes are not told by the API). */
const capabilitiesOf = (maxFileBytes: number): Capabilities => ({
  maxFileBytes: Math.min(maxFileBytes, 500 * MB),
  minFileBytes: 0,
  // Files that were uploaded are not given back; those that a tool has made say so themselves.
  downloads: false,
  ranges: false,
  purposes: null,
  uses: ['storage', 'extract', 'vision', 'code'],
  quota: null,
  expiresAfterSeconds: null,
});

/** Files at Anthropic. The small calls go through its SDK, over our transport; bytes by a form of known length. */
export function createAnthropic(options: AnthropicOptions): Provider {
  const { apiKey, baseUrl, timeouts } = options;
  checkApiKey('anthropic', 'ANTHROPIC_API_KEY', apiKey);
  const base = new URL(baseUrl);
  const http = createHttp({
    base,
    headers: { 'x-api-key': apiKey, ...VERSION },
    speaker: {
      provider: 'anthropic',
      where: base.host,
      secrets: [apiKey],
      advice: {
        unauthorized: 'Set ANTHROPIC_API_KEY to a key of an organisation that may use files',
        connection_refused: 'Check ANTHROPIC_BASE_URL and the network',
        host_not_found: 'Check ANTHROPIC_BASE_URL and the network',
        unexpected_answer: 'Check ANTHROPIC_BASE_URL: it must be the address of the API, without /v1',
      },
    },
  });
  const limits = callLimits(timeouts);
  const retry: RetryPolicy = { maxRetries: options.maxRetryAttempts, budgetMs: timeouts.callMs };
  const files = (operation: Operation, signal: AbortSignal) =>
    new Anthropic({
      apiKey,
      baseURL: baseUrl,
      maxRetries: 0,
      logLevel: 'off',
      // Given, so that the SDK does not look for them in the environment.
      ...{ authToken: null, webhookKey: null },
      fetch: sdkFetch(http, { base, operation, signal, limits }),
    }).files;
  const info = (id: string, signal: AbortSignal): Promise<StoredObject | null> =>
    nullIfMissing(
      unwrapped(files('info', signal).retrieveMetadata(id), signal).then((found) => storedObject(fileIn(http, 'info', found, 'id'))),
    );

  return createMarkedVendor({
    ...options,
    name: 'anthropic',
    account: accountOf(baseUrl, apiKey),
    capabilities: capabilitiesOf(options.maxFileBytes),
    http,
    isId: /^[\w-]+$/,
    calls: {
      create: async (sending) => storedObject(fileIn(http, 'upload', await uploadForm(http, '/v1/files', {}, sending, timeouts), 'id')),
      info,
      remove: (id, signal) => unwrapped(files('delete', signal).delete(id).asResponse(), signal),
      async page(after, signal) {
        const page = await unwrapped(files('list', signal).list({ limit: PAGE, ...(after === null ? {} : { page: after }) }), signal);
        return { objects: filesIn<FileMetadata>(http, page.data, 'id').map(storedObject), next: page.next_page ?? null };
      },
      async download(id, { signal, range }) {
        const found = await withRetries(retry, signal, () => info(id, signal));
        if (found?.downloadable === false)
          throw notDownloadable('anthropic', `${id} was uploaded; only files that a tool has made can be read`);
        return await resumingDownload({
          ...{ path: `/v1/files/${id}/content`, http, signal, range, timeouts, ranges: false },
          retry,
          sizeOf: async () => found?.sizeBytes ?? null,
        });
      },
    },
  });
}

const storedObject = ({ id, filename, mime_type, size_bytes, created_at, downloadable, expires_at }: FileMetadata): StoredObject =>
  storedObjectOf({
    id,
    sizeBytes: size_bytes,
    mimeType: mime_type,
    createdAt: created_at,
    name: filename,
    downloadable: downloadable ?? false,
    expiresAt: expires_at ?? null,
  });
