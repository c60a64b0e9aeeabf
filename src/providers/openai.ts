import type { Capabilities, PurposeLimits, Use } from '../domain/capabilities.ts';
import { messageOf } from '../domain/errors.ts';
import { checkApiKey } from './api-key.ts';
import { resumingDownload } from './download.ts';
import { uploadForm } from './form-upload.ts';
import { createHttp } from './http.ts';
import { accountOf, createMarkedVendor, type Sending } from './marked-vendor.ts';
import { createOpenAiCalls } from './openai-calls.ts';
import { LIST_LIMIT, madeFile, pageBehind, storedFile, type WireFile } from './openai-shape.ts';
import { createUploadsInParts, PART_BYTES } from './openai-uploads.ts';
import type { Provider, StoredObject } from './provider.ts';
import { type RetryPolicy, withRetries } from './retry.ts';
import type { VendorOptions } from './vendor.ts';
import { callLimits } from './watchdog.ts';

export interface OpenAiOptions extends VendorOptions {
  apiKey: string;
  /** With `/v1`. */
  baseUrl: string;
}

const MB = 1024 * 1024;
/** https://platform.openai.com/docs/api-reference/files/create, and /uploads/create for what goes in parts. */
const LARGEST_AT_ONCE = 512 * MB;
const LARGEST_IN_PARTS = 8 * 1024 * MB;

/** @param maxFileBytes ours (OPENAI_MAX_FILE_SIZE_MB) */
export function openAiCapabilities(baseUrl: string, maxFileBytes: number): Capabilities {
  // OpenAI itself answers "Not allowed to download files of purpose"; compatible servers give everything back.
  const givesBack = new URL(baseUrl).host !== 'api.openai.com';
  const purpose = (uses: readonly Use[], extensions: readonly string[] | null, downloads: boolean): PurposeLimits => ({
    ...{ maxFileBytes: LARGEST_IN_PARTS, extensions, maxFiles: null, uses, downloads },
  });
  return {
    maxFileBytes: Math.min(maxFileBytes, LARGEST_IN_PARTS),
    minFileBytes: 0,
    downloads: givesBack,
    ranges: false,
    resumes: true,
    purposes: {
      user_data: purpose(['storage', 'extract'], null, givesBack),
      assistants: purpose(['code', 'extract'], null, givesBack),
      vision: purpose(['vision'], ['png', 'jpg', 'jpeg', 'gif', 'webp'], givesBack),
      batch: purpose(['batch'], ['jsonl'], true),
      'fine-tune': purpose(['fine-tune'], ['jsonl'], true),
      evals: purpose(['evals'], ['jsonl'], true),
    },
    quota: null,
    expiresAfterSeconds: null,
  };
}

/** Files at OpenAI, or at any server that speaks its API. */
export function createOpenAi(options: OpenAiOptions): Provider {
  const { apiKey, baseUrl, timeouts } = options;
  checkApiKey('openai', 'OPENAI_API_KEY', apiKey);
  const base = new URL(baseUrl);
  const http = createHttp({
    base,
    headers: { authorization: `Bearer ${apiKey}` },
    speaker: {
      provider: 'openai',
      where: base.host,
      secrets: [apiKey],
      advice: {
        unauthorized: 'Check OPENAI_API_KEY, and OPENAI_BASE_URL: each server has keys of its own',
        insufficient_balance: 'Top up the account',
        not_downloadable: 'OpenAI gives back no files that were uploaded for this purpose',
        connection_refused: 'Check OPENAI_BASE_URL and whether the server runs',
        host_not_found: 'Check OPENAI_BASE_URL and the network',
        unexpected_answer: 'Check OPENAI_BASE_URL: it must be the address of the API, as https://api.openai.com/v1',
      },
    },
  });
  const retry: RetryPolicy = { maxRetries: options.maxRetryAttempts, budgetMs: timeouts.callMs };
  const calls = createOpenAiCalls({ http, base, apiKey, limits: callLimits(timeouts) });
  const inParts = createUploadsInParts({ http, calls, timeouts, retry });
  const info = async (id: string, signal: AbortSignal) => {
    const found = await calls.retrieve(id, signal);
    return found === null ? null : storedFile(found);
  };

  /** Some servers do not tell a size at once. The file is there: an error of this call must not look as if nothing was stored. */
  async function sized(made: StoredObject, signal: AbortSignal): Promise<StoredObject> {
    try {
      return (await withRetries(retry, signal, () => info(made.id, signal))) ?? made;
    } catch (error) {
      signal.throwIfAborted();
      const detail = `the size of ${made.id} could not be asked: ${messageOf(error)}`;
      throw http.failure('upload', { kind: 'broken', code: 'unexpected_answer', retryable: true, detail });
    }
  }

  async function send(sending: Sending): Promise<WireFile> {
    const { sizeBytes } = sending.request.body;
    const made = sizeBytes > PART_BYTES ? await inParts(sending) : null;
    if (made !== null) return made;
    if (sizeBytes <= LARGEST_AT_ONCE)
      return madeFile(await uploadForm<Partial<WireFile>>(http, '/files', { purpose: sending.purpose }, sending, timeouts), http);
    const detail = `this server takes no uploads in parts, and at most ${LARGEST_AT_ONCE} bytes at once`;
    throw http.failure('upload', { kind: 'invalid', code: 'file_too_large', retryable: false, detail });
  }

  return createMarkedVendor({
    ...options,
    name: 'openai',
    account: accountOf(baseUrl, apiKey),
    capabilities: openAiCapabilities(baseUrl, options.maxFileBytes),
    http,
    isId: /^(?!\.{1,2}$)[\w.:=~-]{1,500}$/,
    calls: {
      async create(sending) {
        const made = storedFile(await send(sending));
        return Number.isNaN(made.sizeBytes) ? await sized(made, sending.request.signal) : made;
      },
      info,
      remove: calls.remove,
      page: (place, signal) =>
        pageBehind(place, (after) => calls.list({ limit: LIST_LIMIT, order: 'asc', ...(after === null ? {} : { after }) }, signal)),
      download: (id, { signal, range }) =>
        resumingDownload({
          ...{ path: `/files/${encodeURIComponent(id)}/content`, http, signal, range, retry, timeouts, ranges: false },
          sizeOf: async () => (await info(id, signal))?.sizeBytes ?? null,
        }),
    },
  });
}
