import { murmur3 } from './bucketing.ts';

/**
 * The signs of `rclone check --combined` (https://rclone.org/commands/rclone_check/), with the ledger as source and the provider as
 * destination: `=` the same, `-` not in the ledger, `+` not at the provider, `*` different, `!` could not be compared.
 */
export const SIGNS = ['=', '*', '-', '+', '!'] as const;
export type Sign = (typeof SIGNS)[number];

/** rclone's names of the files with one sign each. */
export const SIGN_FILES: Readonly<Record<Sign, string>> = {
  '=': 'match',
  '*': 'differ',
  '-': 'missing-on-src',
  '+': 'missing-on-dst',
  '!': 'error',
};

/** How a file was compared: by the size on record alone, by the size and hash on record, or by reading it back. */
export type Comparison = 'size' | 'hash' | 'download';

export interface VerifiedFile {
  sign: Sign;
  provider: string;
  objectId: string;
  fileId: string | null;
  name: string | null;
  /** Null where there was nothing to compare. */
  by: Comparison | null;
  detail: string | null;
}

export interface VerifyTotals {
  signs: Record<Sign, number>;
  by: Record<Comparison, number>;
  /** Left out by the sample. */
  notSampled: number;
}

export const noFiles = (): VerifyTotals => ({
  signs: { '=': 0, '*': 0, '-': 0, '+': 0, '!': 0 },
  by: { size: 0, hash: 0, download: 0 },
  notSampled: 0,
});

const RANGE = 2 ** 32;
const UTF8 = new TextEncoder();

/** Whether an object is in the sample: by its id alone, so that the same ones are taken again, and a larger sample has all of a smaller. */
export const isSampled = (objectId: string, share: number): boolean => murmur3(UTF8.encode(`verify:${objectId}`)) / RANGE < share;

/** What kind of verification it was, in words that promise no more than was done. */
export function describeComparison({ by }: VerifyTotals): string {
  const parts = [
    ...(by.download > 0 ? [`${by.download} read back and hashed again`] : []),
    ...(by.hash > 0 ? [`${by.hash} by the size and hash that the provider has on record, without reading them`] : []),
    ...(by.size > 0 ? [`${by.size} by the size on record alone, because the provider tells no hash`] : []),
  ];
  return parts.length === 0 ? 'nothing was compared' : parts.join('; ');
}
