import type { Capabilities, PurposeLimits, Use } from '../domain/capabilities.ts';

const MB = 1024 * 1024;
const DAY_SECONDS = 24 * 3600;
const IMAGES = { png: 5 * MB, jpg: 5 * MB, jpeg: 5 * MB };
const DOCUMENTS = 'pdf docx doc xls xlsx txt png jpg jpeg csv';

/** Z.ai, the vendor's international platform, takes files for agents alone. */
export const isZai = (baseUrl: string): boolean => new URL(baseUrl).host === 'api.z.ai';

const purpose = (
  uses: readonly Use[],
  extensions: string,
  megabytes: number,
  maxFiles: number | null,
  more: Partial<PurposeLimits> = {},
): PurposeLimits => ({
  ...{ maxFileBytes: megabytes * MB, extensions: extensions.split(' '), maxFiles, uses, downloads: false },
  ...more,
});

/** https://docs.bigmodel.cn/api-reference: what each purpose takes. The first is what a refusal of a file to be kept speaks of. */
const ZHIPU: Readonly<Record<string, PurposeLimits>> = {
  agent: purpose(['storage'], DOCUMENTS, 20, 1000, { maxFileBytesOf: IMAGES }),
  'file-extract': purpose(['extract', 'storage'], 'pdf docx doc xls xlsx ppt pptx png jpg jpeg csv', 50, 100, { maxFileBytesOf: IMAGES }),
  'code-interpreter': purpose(['code'], DOCUMENTS, 20, 100, { maxFileBytesOf: IMAGES }),
  batch: purpose(['batch', 'storage'], 'jsonl', 100, 1000, { downloads: true }),
  'voice-clone-input': purpose(['voice', 'storage'], 'mp3 wav', 100, null),
};

/** https://docs.z.ai/api-reference/agents/file-upload: 100 MB, 100 files, kept for 180 days, and fewer types than at Zhipu. */
const ZAI: Readonly<Record<string, PurposeLimits>> = {
  agent: purpose(['storage', 'extract', 'code'], 'pdf doc xlsx ppt txt jpg png', 100, 100),
};

/** @param maxFileBytes ours (GLM_MAX_FILE_SIZE_MB) */
export function glmCapabilities(baseUrl: string, maxFileBytes: number): Capabilities {
  const zai = isZai(baseUrl);
  return {
    maxFileBytes: Math.min(maxFileBytes, 100 * MB),
    minFileBytes: 0,
    downloads: false,
    ranges: false,
    purposes: zai ? ZAI : ZHIPU,
    quota: zai ? { files: 100, bytes: null } : null,
    expiresAfterSeconds: zai ? 180 * DAY_SECONDS : null,
  };
}
