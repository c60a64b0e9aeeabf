import type { Capabilities, PurposeLimits } from '../domain/capabilities.ts';
import { checkApiKey } from './api-key.ts';
import { uploadForm } from './form-upload.ts';
import { createHttp } from './http.ts';
import { accountOf, createMarkedVendor, notDownloadable } from './marked-vendor.ts';
import { createOpenAiCalls } from './openai-calls.ts';
import { madeFile, storedFile, type WireFile } from './openai-shape.ts';
import type { Provider } from './provider.ts';
import type { VendorOptions } from './vendor.ts';
import { callLimits } from './watchdog.ts';

export interface KimiOptions extends VendorOptions {
  apiKey: string;
  /** With `/v1`. */
  baseUrl: string;
}

/** "100MB" and "10G" say no more: where the vendor means less, its own refusal is understood. */
const MB = 1024 * 1024;
const GB = 1024 * MB;
/** Of ours: the vendor gives the whole list at once. */
const PAGE = 100;

const words = (text: string) => text.split(' ');

/** https://platform.moonshot.ai/docs/api/files, and its guide to vision models for images and videos. */
const PURPOSES: Readonly<Record<string, PurposeLimits>> = {
  'file-extract': purpose(
    ['storage', 'extract'],
    // The vendor's list has jpeg and not jpg, which is the same: it goes as jpeg.
    'pdf txt csv doc docx xls xlsx ppt pptx md jpeg jpg png bmp gif svg svgz webp ico xbm dib pjp tif pjpeg avif dot apng epub tiff jfif ' +
      'html json mobi log go h c cpp cxx cc cs java js css jsp php py py3 asp yaml yml ini conf ts tsx',
  ),
  image: purpose(['vision', 'storage'], 'png jpeg jpg webp gif'),
  video: purpose(['vision', 'storage'], 'mp4 mpeg mpg mov avi flv webm wmv 3gp 3gpp'),
  batch: purpose(['batch', 'storage'], 'jsonl'),
};

function purpose(uses: PurposeLimits['uses'], extensions: string): PurposeLimits {
  return { maxFileBytes: 100 * MB, extensions: words(extensions), maxFiles: null, uses, downloads: false };
}

export const kimiCapabilities = (maxFileBytes: number): Capabilities => ({
  maxFileBytes: Math.min(maxFileBytes, 100 * MB),
  minFileBytes: 1,
  downloads: false,
  ranges: false,
  purposes: PURPOSES,
  quota: { files: 1000, bytes: 10 * GB },
  expiresAfterSeconds: null,
});

/** Files at Kimi (Moonshot), for which its documents use OpenAI's SDK. */
export function createKimi(options: KimiOptions): Provider {
  const { apiKey, baseUrl, timeouts } = options;
  checkApiKey('kimi', 'KIMI_API_KEY', apiKey);
  const base = new URL(baseUrl);
  const http = createHttp({
    base,
    headers: { authorization: `Bearer ${apiKey}` },
    speaker: {
      provider: 'kimi',
      where: base.host,
      secrets: [apiKey],
      advice: {
        unauthorized:
          'Check KIMI_API_KEY and KIMI_BASE_URL: a key of api.moonshot.ai is not one of api.moonshot.cn, nor the other way round',
        quota_exceeded: 'An account holds 1,000 files and 10 GB: delete some, or use another account',
        insufficient_balance: 'Top up the account',
        connection_refused: 'Check KIMI_BASE_URL and the network',
        host_not_found: 'Check KIMI_BASE_URL and the network',
        unexpected_answer: 'Check KIMI_BASE_URL: it must be the address of the API, as https://api.moonshot.ai/v1',
      },
    },
  });
  const calls = createOpenAiCalls({ http, base, apiKey, limits: callLimits(timeouts) });
  return createMarkedVendor({
    ...options,
    name: 'kimi',
    account: accountOf(baseUrl, apiKey),
    capabilities: kimiCapabilities(options.maxFileBytes),
    http,
    isId: /^(?!\.{1,2}$)[\w.-]{1,200}$/,
    extensions: { jpg: 'jpeg' },
    calls: {
      create: async (sending) =>
        storedFile(madeFile(await uploadForm<Partial<WireFile>>(http, '/files', { purpose: sending.purpose }, sending, timeouts), http)),
      async info(id, signal) {
        const found = await calls.retrieve(id, signal);
        return found === null ? null : storedFile(found);
      },
      remove: calls.remove,
      async page(after, signal) {
        const { data } = await calls.list({}, signal);
        const ordered = data.map((file) => ({ file, place: placeOf(file) })).sort((a, b) => (a.place < b.place ? -1 : 1));
        const rest = after === null ? ordered : ordered.filter(({ place }) => place > after);
        const page = rest.slice(0, PAGE);
        return { objects: page.map(({ file }) => storedFile(file)), next: rest.length > PAGE ? (page.at(-1)?.place ?? null) : null };
      },
      download: async () => {
        throw notDownloadable('kimi', 'it keeps the text that it read in a file, not the file');
      },
    },
  });
}

/** Orders by time, then id: stays where it is when the file itself is deleted. */
const placeOf = ({ id, created_at }: WireFile): string => `${String(created_at ?? 0).padStart(12, '0')} ${id}`;
