import type { Capabilities } from './capabilities.ts';
import { UploadError } from './errors.ts';
import { formatBytes } from './format.ts';

/** What an account holds, whoever put it there. */
export interface Held {
  files: number;
  bytes: number;
  /** Files by the vendor's purpose. */
  byPurpose: Readonly<Record<string, number>>;
}

export const NOTHING_HELD: Held = { files: 0, bytes: 0, byPurpose: {} };

/** After files came (or, with negative numbers, went). */
export function withChange({ files, bytes, byPurpose }: Held, change: { files: number; bytes: number; purpose: string | null }): Held {
  const { purpose } = change;
  return {
    files: Math.max(0, files + change.files),
    bytes: Math.max(0, bytes + change.bytes),
    byPurpose: purpose === null ? byPurpose : { ...byPurpose, [purpose]: Math.max(0, (byPurpose[purpose] ?? 0) + change.files) },
  };
}

/** One limit of an account, and how much of it is used. */
export interface QuotaUse {
  kind: 'files' | 'bytes';
  /** Null: of the whole account. */
  purpose: string | null;
  used: number;
  limit: number;
}

/** Every limit that the vendor documents. */
export function quotaUses({ quota, purposes }: Pick<Capabilities, 'quota' | 'purposes'>, held: Held): QuotaUse[] {
  const uses: QuotaUse[] = [];
  if (quota?.files != null) uses.push({ kind: 'files', purpose: null, used: held.files, limit: quota.files });
  if (quota?.bytes != null) uses.push({ kind: 'bytes', purpose: null, used: held.bytes, limit: quota.bytes });
  for (const [purpose, { maxFiles }] of Object.entries(purposes ?? {}))
    if (maxFiles !== null) uses.push({ kind: 'files', purpose, used: held.byPurpose[purpose] ?? 0, limit: maxFiles });
  return uses;
}

/** Whether any limit is documented at all: else there is nothing to count. */
export const hasQuota = (capabilities: Pick<Capabilities, 'quota' | 'purposes'>): boolean =>
  quotaUses(capabilities, NOTHING_HELD).length > 0;

/** Above this share of a limit somebody should hear of it. */
export const NEARLY_FULL = 0.8;

/** `81 % of 1000 files (purpose extract)`. */
export function describeUse({ kind, purpose, used, limit }: QuotaUse): string {
  const of = kind === 'bytes' ? formatBytes(limit) : `${limit} files`;
  return `${Math.floor((100 * used) / limit)} % of ${of}${purpose === null ? '' : ` (purpose ${purpose})`}`;
}

/**
 * Why one more file would pass a limit of the account; null where it would not. Said before the vendor does, whose 400 names no number.
 * Code `quota_exceeded`.
 */
export function quotaRefusal(
  provider: string,
  capabilities: Pick<Capabilities, 'quota' | 'purposes'>,
  held: Held,
  file: { purpose: string; sizeBytes: number },
): UploadError | null {
  const passed = quotaUses(capabilities, held).find(
    ({ kind, purpose, used, limit }) =>
      (purpose === null || purpose === file.purpose) && used + (kind === 'files' ? 1 : file.sizeBytes) > limit,
  );
  if (passed === undefined) return null;
  const holds = passed.kind === 'bytes' ? formatBytes(passed.used) : `${passed.used} files`;
  const limit = passed.kind === 'bytes' ? formatBytes(passed.limit) : passed.limit;
  const where = passed.purpose === null ? '' : ` of the purpose ${passed.purpose}`;
  return new UploadError(
    `The account at ${provider} holds ${holds}${where}, and at most ${limit} are allowed: delete some there, or use another account or provider`,
    { code: 'quota_exceeded', provider },
  );
}
