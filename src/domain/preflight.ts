import type { Capabilities } from './capabilities.ts';
import { remainingMs, type Speed } from './progress-estimate.ts';
import { type QuotaUse, quotaUses } from './quota.ts';

/** Files and bytes. */
export interface Amount {
  files: number;
  bytes: number;
}

/** Files that will not arrive, for one reason. */
export interface Refused extends Amount {
  code: string;
  /** As it was said of the first of them. */
  why: string;
  /** The first few. */
  names: string[];
}

/** What a look at a source tells of its migration, without a byte being read. */
export interface Preflight {
  listed: Amount;
  /** Will be sent, unless their content turns out to be there already. By the provider's own purpose. */
  sends: Record<string, Amount>;
  /** The ledger knows that they are there already. */
  there: Amount;
  /** Not files: sockets, links to folders. */
  skipped: number;
  refused: Refused[];
}

export type Verdict =
  | { outcome: 'fits'; purpose: string }
  | { outcome: 'there' }
  | { outcome: 'skipped' }
  | { outcome: 'refused'; code: string; why: string };

const NAMES_SHOWN = 3;

export const startPreflight = (): Preflight => ({ listed: nothing(), sends: {}, there: nothing(), skipped: 0, refused: [] });

/** Counts one more file. Changes `preflight`: there may be millions. */
export function countVerdict(preflight: Preflight, file: { path: string; sizeBytes: number }, verdict: Verdict): void {
  add(preflight.listed, file);
  if (verdict.outcome === 'skipped') preflight.skipped += 1;
  else if (verdict.outcome === 'there') add(preflight.there, file);
  else if (verdict.outcome === 'fits') {
    preflight.sends[verdict.purpose] ??= nothing();
    add(preflight.sends[verdict.purpose] as Amount, file);
  } else {
    const { code, why } = verdict;
    let group = preflight.refused.find((known) => known.code === code);
    if (group === undefined) {
      group = { code, why, names: [], ...nothing() };
      preflight.refused.push(group);
    }
    add(group, file);
    if (group.names.length < NAMES_SHOWN) group.names.push(file.path);
  }
}

function nothing(): Amount {
  return { files: 0, bytes: 0 };
}

function add(amount: Amount, { sizeBytes }: { sizeBytes: number }): void {
  amount.files += 1;
  amount.bytes += sizeBytes;
}

/** What will be sent, all purposes together. */
export const toSend = ({ sends }: Preflight): Amount => sum(Object.values(sends));

const sum = (amounts: readonly Amount[]): Amount =>
  amounts.reduce((all, { files, bytes }) => ({ files: all.files + files, bytes: all.bytes + bytes }), nothing());

/** A limit of an account that a migration would pass. */
export interface QuotaPassed extends QuotaUse {
  adding: number;
}

/** Which limits of the account the migration would pass. @param used what the account holds now, by purpose */
export function quotaPassed(
  capabilities: Pick<Capabilities, 'quota' | 'purposes'>,
  used: Readonly<Record<string, Amount>>,
  { sends }: Pick<Preflight, 'sends'>,
): QuotaPassed[] {
  const byPurpose = Object.fromEntries(Object.entries(used).map(([purpose, { files }]) => [purpose, files]));
  const more = sum(Object.values(sends));
  return quotaUses(capabilities, { ...sum(Object.values(used)), byPurpose })
    .map((use) => ({ ...use, adding: use.purpose === null ? more[use.kind] : (sends[use.purpose]?.files ?? 0) }))
    .filter(({ used: there, adding, limit }) => adding > 0 && there + adding > limit);
}

/** What the time of a migration is told from. */
export interface Pace {
  /** `<PROVIDER>_UPLOADS_PER_SECOND`; null: as fast as it goes. */
  uploadsPerSecond: number | null;
  /** The fastest of earlier migrations to the same provider; null: there was none. */
  measured: Speed | null;
  /** TRANSFER_MIN_BYTES_PER_SECOND: a slower transfer is given up. */
  minBytesPerSecond: number;
}

/** Milliseconds; null where nobody knows. */
export interface Estimate {
  /** From earlier migrations, the rate kept. */
  ms: number | null;
  /** It cannot be faster than the rate of uploads allows. */
  atLeastMs: number | null;
  /** The bytes alone, one file after the other at the slowest rate that is allowed. */
  bytesAtMostMs: number;
}

/** The longer of the files at their rate and the bytes at theirs. */
export function estimate({ files, bytes }: Amount, { uploadsPerSecond, measured, minBytesPerSecond }: Pace): Estimate {
  const filesPerSecond = Math.min(measured?.filesPerSecond ?? 0, uploadsPerSecond ?? Number.POSITIVE_INFINITY);
  return {
    ms: measured === null ? null : remainingMs({ ...measured, filesPerSecond }, { files, bytes }),
    atLeastMs: uploadsPerSecond === null ? null : (files / uploadsPerSecond) * 1000,
    bytesAtMostMs: (bytes / minBytesPerSecond) * 1000,
  };
}

/** What earlier migrations to a provider reached at best; null where none of them has sent anything. */
export function measuredSpeed(
  earlier: readonly { totals: { uploaded: number; uploadedBytes: number }; startedAtMs: number; updatedAtMs: number }[],
): Speed | null {
  const sent = earlier.filter(({ totals, startedAtMs, updatedAtMs }) => totals.uploaded > 0 && updatedAtMs > startedAtMs);
  if (sent.length === 0) return null;
  const best = (of: (totals: { uploaded: number; uploadedBytes: number }) => number) =>
    Math.max(...sent.map(({ totals, startedAtMs, updatedAtMs }) => (of(totals) / (updatedAtMs - startedAtMs)) * 1000));
  return { filesPerSecond: best(({ uploaded }) => uploaded), bytesPerSecond: best(({ uploadedBytes }) => uploadedBytes) };
}
