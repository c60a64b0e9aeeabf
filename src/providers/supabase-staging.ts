import { randomUUID } from 'node:crypto';
import { creatingMissing } from './buckets.ts';
import { createHttp } from './http.ts';
import { objectAddress } from './object-address.ts';
import { type CallTimeouts, callLimits, transferLimits } from './watchdog.ts';
import { wireType } from './wire-type.ts';

/** Everything that is laid somewhere for a moment has a key of its own below this one. */
export const STAGING_PREFIX = 'staging/';

/** A place for bytes on their way to the workers, in Supabase Storage. */
export interface StagingStore {
  /** @returns the object's id, `<bucket>/staging/<uuid>` */
  put(file: { open(): AsyncIterable<Uint8Array>; sizeBytes: number; mimeType: string | null }, signal: AbortSignal): Promise<string>;
  /** No error where it is gone already. */
  remove(id: string): Promise<void>;
}

export interface StagingStoreOptions {
  url: string;
  secretKey: string;
  bucket: string;
  timeouts: CallTimeouts;
  /** Makes the bucket where it is missing. */
  ensureBucket(signal: AbortSignal): Promise<void>;
}

/** One request for each object, from an input that can be opened again; a half-sent one leaves nothing. */
export function createStagingStore({ url, secretKey, bucket, timeouts, ensureBucket }: StagingStoreOptions): StagingStore {
  const base = new URL(url);
  const http = createHttp({
    base: new URL(`${base.pathname.replace(/\/+$/, '')}/storage/v1`, base),
    headers: { apikey: secretKey, authorization: `Bearer ${secretKey}` },
    speaker: { provider: 'supabase', where: `${base.host}/${bucket}`, secrets: [secretKey], advice: {} },
  });
  return {
    async put({ open, sizeBytes, mimeType }, signal) {
      const id = `${bucket}/${STAGING_PREFIX}${randomUUID()}`;
      const send = () =>
        http.call({
          operation: 'upload',
          method: 'POST',
          path: `/object/${objectAddress('supabase', id).path}`,
          headers: { 'content-length': String(sizeBytes), 'content-type': wireType(mimeType ?? 'application/octet-stream') },
          body: open(),
          signal,
          limits: transferLimits(timeouts, sizeBytes),
        });
      await creatingMissing(() => ensureBucket(signal), send);
      return id;
    },
    async remove(id) {
      const { key } = objectAddress('supabase', id);
      await http.call({
        operation: 'delete',
        method: 'DELETE',
        path: `/object/${encodeURIComponent(bucket)}`,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ prefixes: [key] }),
        signal: AbortSignal.timeout(timeouts.callMs),
        limits: callLimits(timeouts),
      });
    },
  };
}
