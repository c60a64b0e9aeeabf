import type { Namespace } from './models.ts';

/**
 * The key under which a content is stored: made of its hash alone, so that two uploads of the same bytes cannot make two
 * objects, and of `[A-Za-z0-9._/-]` alone, because Supabase Storage refuses other names. Two levels keep listings short.
 */
export function objectKey(sha256: string, namespace: Namespace): string {
  return `${namespace}/${sha256.slice(0, 2)}/${sha256}`;
}
