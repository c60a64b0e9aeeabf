import { ValidationError } from '../domain/errors.ts';
import type { Http } from './http.ts';
import { type StoredObject, type StoredPage, storedObjectOf } from './provider.ts';
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
  /** A page's `next`: the place in its folder, and the id that came last. */
  after: string | null;
  signal: AbortSignal;
  http: Http;
  limits: Limits;
  retry: RetryPolicy;
}

/**
 * Every object below a prefix, depth first in the order of names. Supabase lists one folder at a time; one page for each level
 * is in memory. Pages go by offset: what is created while it runs can be missed. It goes on behind the object that came last; where
 * that one was deleted meanwhile, its folder is given again, because a file given twice is better than one passed over.
 */
export async function* listObjects(request: ListRequest): AsyncGenerator<StoredPage> {
  const slash = request.prefix.lastIndexOf('/') + 1;
  const folder = request.prefix.slice(0, slash);
  const cursor = readCursor(request, folder);
  yield* listFolder(request, folder, request.prefix.slice(slash), cursor);
}

interface Cursor {
  /** Names from the listed folder down to the object. */
  path: string[];
  offset: number;
}

async function* listFolder(request: ListRequest, folder: string, startsWith: string, cursor: Cursor | null): AsyncGenerator<StoredPage> {
  const [last = '', ...below] = cursor?.path ?? [];
  for (let offset = cursor === null ? 0 : await placeOf(request, folder, startsWith, last, below.length > 0, cursor.offset); ; ) {
    const entries = await page(request, folder, startsWith, offset);
    let objects: StoredObject[] = [];
    let at = offset;
    const out = (): StoredPage => ({
      objects: objects.splice(0),
      next: `${at}:${request.bucket}/${folder}${entries[at - offset - 1]?.name}`,
    });
    for (const entry of entries) {
      const isLast = cursor !== null && entry.name === last;
      if (entry.id === null && entry.name.startsWith(startsWith)) {
        if (objects.length > 0) yield out();
        objects = [];
        yield* listFolder(
          request,
          `${folder}${entry.name}/`,
          '',
          isLast && below.length > 0 ? { path: below, offset: cursor.offset } : null,
        );
      } else if (entry.name.startsWith(startsWith) && !(isLast && below.length === 0)) {
        objects.push(storedObject(request.bucket, folder, entry));
      }
      at += 1;
    }
    if (objects.length > 0) yield out();
    if (entries.length < PAGE) return;
    offset += entries.length;
  }
}

/** Where to go on in a folder: at the entry of this name, looked for first where it was; 0 where it is not there any more. */
async function placeOf(
  request: ListRequest,
  folder: string,
  startsWith: string,
  name: string,
  isFolder: boolean,
  hint: number,
): Promise<number> {
  const fits = (entry: Entry | undefined) => entry?.name === name && (entry.id === null) === isFolder;
  const near = Math.max(0, hint - 1);
  if (!isFolder && fits((await page(request, folder, startsWith, near))[0])) return near;
  for (let offset = 0; ; ) {
    const entries = await page(request, folder, startsWith, offset);
    const found = entries.findIndex(fits);
    if (found >= 0) return offset + found;
    if (entries.length < PAGE) return 0;
    offset += entries.length;
  }
}

function readCursor({ after, bucket }: ListRequest, folder: string): Cursor | null {
  if (after === null) return null;
  const [, offset, id = ''] = /^(\d+):(.+)$/s.exec(after) ?? [];
  const top = `${bucket}/${folder}`;
  if (!id.startsWith(top))
    throw new ValidationError('The place to go on from is none of this listing', { code: 'invalid_cursor', provider: 'supabase' });
  return { path: id.slice(top.length).split('/'), offset: Number(offset) };
}

async function page(request: ListRequest, folder: string, search: string, offset: number): Promise<Entry[]> {
  const { bucket, signal, http, limits, retry } = request;
  const listed = await withRetries(retry, signal, () =>
    http.json({
      operation: 'list',
      method: 'POST',
      path: `/object/list/${encodeURIComponent(bucket)}`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ prefix: folder, search, limit: PAGE, offset, sortBy: { column: 'name', order: 'asc' } }),
      signal,
      limits,
    }),
  );
  if (Array.isArray(listed)) return listed;
  throw http.failure('list', { kind: 'refused', code: 'unexpected_answer', retryable: false, detail: 'the answer is no list of objects' });
}

function storedObject(bucket: string, folder: string, { name, metadata, created_at }: Entry): StoredObject {
  return storedObjectOf({
    id: `${bucket}/${folder}${name}`,
    sizeBytes: Number(metadata?.size ?? metadata?.contentLength ?? 0),
    mimeType: metadata?.mimetype ?? null,
    createdAt: created_at,
    name,
  });
}
