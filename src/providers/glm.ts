import { FileManagementError } from '../domain/errors.ts';
import { checkApiKey } from './api-key.ts';
import { resumingDownload } from './download.ts';
import type { Operation } from './failure.ts';
import { uploadForm } from './form-upload.ts';
import { glmCapabilities, isZai } from './glm-capabilities.ts';
import { createHttp } from './http.ts';
import { accountOf, createMarkedVendor, eachPage, notDownloadable } from './marked-vendor.ts';
import { filesOf, LIST_LIMIT, madeFile, pageBehind, storedFile, type WireFile, type WirePage } from './openai-shape.ts';
import type { Provider, StoredObject } from './provider.ts';
import { type RetryPolicy, withRetries } from './retry.ts';
import type { VendorOptions } from './vendor.ts';
import { callLimits } from './watchdog.ts';

export interface GlmOptions extends VendorOptions {
  apiKey: string;
  /** With `/api/paas/v4`. */
  baseUrl: string;
}

/** Files at GLM (Zhipu, Z.ai), which has no SDK for JavaScript. https://docs.bigmodel.cn, https://docs.z.ai */
export function createGlm(options: GlmOptions): Provider {
  const { apiKey, baseUrl, timeouts } = options;
  checkApiKey('glm', 'GLM_API_KEY', apiKey);
  const base = new URL(baseUrl);
  const http = createHttp({
    base,
    headers: { authorization: `Bearer ${apiKey}` },
    speaker: {
      provider: 'glm',
      where: base.host,
      secrets: [apiKey],
      advice: {
        unauthorized: `Check GLM_API_KEY and GLM_BASE_URL: a key of ${isZai(baseUrl) ? 'bigmodel.cn is not one of z.ai' : 'z.ai is not one of bigmodel.cn'}; and whether the account may use files`,
        insufficient_balance: 'Top up the account: no waiting helps',
        connection_refused: 'Check GLM_BASE_URL and the network',
        host_not_found: 'Check GLM_BASE_URL and the network',
        unexpected_answer: 'Check GLM_BASE_URL: it must be the address of the API, as https://open.bigmodel.cn/api/paas/v4',
      },
    },
  });
  const capabilities = glmCapabilities(baseUrl, options.maxFileBytes);
  const { expiresAfterSeconds } = capabilities;
  const retry: RetryPolicy = { maxRetries: options.maxRetryAttempts, budgetMs: timeouts.callMs };
  const small = (operation: Operation, signal: AbortSignal) => ({ operation, signal, limits: callLimits(timeouts) });

  const fetchPage = (after: string | null, operation: Operation, signal: AbortSignal): Promise<WirePage> =>
    http
      .json<Partial<WirePage>>({
        ...small(operation, signal),
        method: 'GET',
        path: `/files?${new URLSearchParams({ ...(after === null ? {} : { after }), order: 'created_at', limit: String(LIST_LIMIT) })}`,
      })
      .then((answer) => filesOf(answer, http));
  const pageAt = (place: string | null, operation: Operation, signal: AbortSignal) =>
    pageBehind(place, (after) => fetchPage(after, operation, signal), expiresAfterSeconds);

  /** There is no call for one file: its account is listed until it comes. */
  async function info(id: string, signal: AbortSignal, operation: Operation = 'info'): Promise<StoredObject | null> {
    for await (const { objects } of eachPage(null, (place) => pageAt(place, operation, signal))) {
      const found = objects.find((object) => object.id === id);
      if (found !== undefined) return found;
    }
    return null;
  }
  const missing = (id: string, operation: Operation) =>
    http.failure(operation, { kind: 'missing', code: 'not_found', retryable: false, detail: `there is no file ${id}` });

  return createMarkedVendor({
    ...options,
    name: 'glm',
    account: accountOf(baseUrl, apiKey),
    capabilities,
    http,
    isId: /^(?!\.{1,2}$)[\w.-]{1,200}$/,
    calls: {
      create: async (sending) =>
        storedFile(
          madeFile(await uploadForm<Partial<WireFile>>(http, '/files', { purpose: sending.purpose }, sending, timeouts), http),
          expiresAfterSeconds,
        ),
      info,
      async remove(id, signal) {
        try {
          await http.call({ ...small('delete', signal), method: 'DELETE', path: `/files/${id}` });
        } catch (error) {
          // How an unknown file is told from another mistake is documented nowhere: the list knows.
          if (!(error instanceof FileManagementError) || error.code !== 'rejected') throw error;
          throw (await info(id, signal, 'delete')) === null ? missing(id, 'delete') : error;
        }
      },
      page: (place, signal) => pageAt(place, 'list', signal),
      async download(id, { signal, range }) {
        const found = await withRetries(retry, signal, () => info(id, signal, 'download'));
        if (found === null) throw missing(id, 'download');
        if (found.purpose !== 'batch')
          throw notDownloadable('glm', `${id} was uploaded for ${found.purpose}; only batch files can be read`);
        return await resumingDownload({
          ...{ path: `/files/${id}/content`, http, signal, range, timeouts, ranges: false },
          retry,
          sizeOf: async () => found.sizeBytes,
        });
      },
    },
  });
}
