import { murmur3 } from './bucketing.ts';

/** Labels of metrics. Each value that a label has is a series that is kept for ever, so that none may follow from what callers send. */

/** `off`: no label. `bucket`: one of 16, so that one user's trouble and everybody's can be told apart. `full`: the user's id. */
export type UserLabelMode = 'off' | 'bucket' | 'full';

const USER_BUCKETS_BITS = 4;

/** @returns null where there is to be no such label; `none` for what is done on nobody's behalf */
export function userLabel(mode: UserLabelMode, userId: string | null): string | null {
  if (mode === 'off') return null;
  if (userId === null) return 'none';
  // The highest bits, as the shares of a rollout use them.
  return mode === 'full' ? userId : String(murmur3(new TextEncoder().encode(userId)) >>> (32 - USER_BUCKETS_BITS));
}

/** Lets the first `limit` values through as they are; all later ones are `other`. For names that callers may make up. */
export function boundedLabel(limit: number): (value: string) => string {
  const known = new Set<string>();
  return (value) => {
    if (known.has(value)) return value;
    if (known.size >= limit) return 'other';
    known.add(value);
    return value;
  };
}

/** Why something is deleted, in words of ours: what a person gave as the reason is kept in the ledger, and is no label. */
export type DeletionReason = 'requested' | 'expired' | 'orphaned' | 'quota' | 'surplus';
