import type { Http } from './http.ts';
import type { StoredObject } from './provider.ts';
import { type RetryPolicy, withRetries } from './retry.ts';
import type { Limits } from './watchdog.ts';

/** Entries that Supabase gives at once. */
const PAGE = 1000;

interface Entry {
  name: string;
  /** Null for a folder. */
  id: string | null;
  created_at: string | null;
  metadata: { size?: number; contentLength?: number; mimetype?: string } | null;
}

export interface ListRequest {
  bucket: string;
  /** Of the key, not of whole folders alone: `live/ab` finds `live/abc/1` too. */
  prefix: string;
  signal: AbortSignal;
  http: Http;
  limits: Limits;
  retry: RetryPolicy;
}

/**
 * Every object below a prefix, depth first in the order of names. Supabase lists one folder at a time; one page for each level
 * is in memory. Pages go by offset: what is created or deleted while it runs can be missed.
 */
export async function* listObjects(request: ListRequest): AsyncGenerator<StoredObject[]> {
  const slash = request.prefix.lastIndexOf('/') + 1;
  yield* listFolder(request, request.prefix.slice(0, slash), request.prefix.slice(slash));
}

async function* listFolder(request: ListRequest, folder: string, startsWith: string): AsyncGenerator<StoredObject[]> {
  for (let offset = 0; ; ) {
    const entries = await page(request, folder, startsWith, offset);
    const wanted = entries.filter(({ name }) => name.startsWith(startsWith));
    const files = wanted.filter(({ id }) => id !== null);
    if (files.length > 0) yield files.map((entry) => storedObject(request.bucket, folder, entry));
    for (const { name, id } of wanted) if (id === null) yield* listFolder(request, `${folder}${name}/`, '');
    if (entries.length < PAGE) return;
    offset += entries.length;
  }
}

function page({ bucket, signal, http, limits, retry }: ListRequest, folder: string, search: string, offset: number): Promise<Entry[]> {
  return withRetries(retry, signal, () =>
    http.json<Entry[]>({
      operation: 'list',
      method: 'POST',
      path: `/object/list/${encodeURIComponent(bucket)}`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ prefix: folder, search, limit: PAGE, offset, sortBy: { column: 'name', order: 'asc' } }),
      signal,
      limits,
    }),
  );
}

function storedObject(bucket: string, folder: string, { name, metadata, created_at }: Entry): StoredObject {
  return {
    id: `${bucket}/${folder}${name}`,
    sizeBytes: Number(metadata?.size ?? metadata?.contentLength ?? 0),
    mimeType: metadata?.mimetype ?? null,
    createdAt: created_at,
  };
}
