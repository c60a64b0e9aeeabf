import { randomUUID } from 'node:crypto';
import { inject } from 'vitest';
import { createSupabaseStorage, type SupabaseStorageOptions } from '../../src/providers/supabase-storage.ts';
import { MIB } from './bodies.ts';
import { LONG } from './timeouts.ts';

/** The Supabase that the tests share. */
export const supabase = () => {
  const { url, secretKey } = inject('supabase');
  return { url, secretKey };
};

/** A bucket's name that no other test uses. */
export const freshBucket = () => `test-${randomUUID().slice(0, 8)}`;

/** The provider over the tests' Supabase, in a bucket of its own. */
export function supabaseProvider(options: Partial<SupabaseStorageOptions> = {}) {
  return createSupabaseStorage({
    ...supabase(),
    bucket: freshBucket(),
    maxFileBytes: 200 * MIB,
    maxRetryAttempts: 3,
    timeouts: LONG,
    ...options,
  });
}

/** Empties and removes a bucket. */
export async function dropBucket(bucket: string): Promise<void> {
  const { url, secretKey } = supabase();
  const headers = { apikey: secretKey, authorization: `Bearer ${secretKey}`, 'content-type': 'application/json' };
  await fetch(`${url}/storage/v1/bucket/${bucket}/empty`, { method: 'POST', headers, body: '{}' });
  await fetch(`${url}/storage/v1/bucket/${bucket}`, { method: 'DELETE', headers, body: '{}' });
}
