import type { Namespace } from './models.ts';

/**
 * The key under which a content is stored: made of its hash alone, so that two uploads of the same bytes cannot make two
 * objects, and of `[A-Za-z0-9._/-]` alone, because Supabase Storage refuses other names. Two levels keep listings short.
 */
export function objectKey(sha256: string, namespace: Namespace): string {
  return `${namespace}/${sha256.slice(0, 2)}/${sha256}`;
}

/** A content under its key, what Cutover has put aside or staged in the same bucket, or somebody else's. */
export type KeyMeaning =
  | { kind: 'content'; sha256: string; namespace: Namespace }
  /** `staged`: under a name as Cutover gives it there. */
  | { kind: 'aside'; staged: boolean }
  | { kind: 'foreign' };

const STAGED = /^staging\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What a key in a storage's bucket stands for: the way back from `objectKey`. */
export function meaningOfKey(key: string): KeyMeaning {
  const [, namespace, sha256 = ''] = /^(live|shadow)\/[0-9a-f]{2}\/([0-9a-f]{64})$/.exec(key) ?? [];
  if (namespace !== undefined && key === objectKey(sha256, namespace as Namespace))
    return { kind: 'content', sha256, namespace: namespace as Namespace };
  return /^(trash|staging)\/./s.test(key) ? { kind: 'aside', staged: STAGED.test(key) } : { kind: 'foreign' };
}

/** Where an object goes that nobody may lose and nobody knows: found again by the run that moved it, and by its old key. */
export const trashKey = (runId: string, key: string): string => `trash/${runId}/${key}`;
