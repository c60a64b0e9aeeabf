import type { Outcome } from './request-context.ts';

/** An error in the form of Supabase Storage: HTTP 400 with the real status in the body, except where the server itself is the cause. */
export function storageError(statusCode: number, error: string, message: string): Response {
  return Response.json({ statusCode: String(statusCode), error, message }, { status: statusCode === 507 ? 507 : 400 });
}

export const tooLarge = (): Response => storageError(413, 'Payload too large', 'The object exceeded the maximum allowed size');

/** The answer that what the object store found out asks for; null where Lite's own is right. */
export function answerFor(outcome: Outcome, answer: Response): Response | null {
  switch (outcome.kind) {
    case 'disk_full':
      return storageError(507, 'InsufficientStorage', outcome.message);
    case 'too_large':
      return tooLarge();
    case 'incomplete':
      return storageError(400, 'IncompleteBody', outcome.message);
    case 'missing':
      return storageError(404, 'not_found', 'Object not found');
    case 'not_modified':
      return answer.ok ? new Response(null, { status: 304, headers: without(answer.headers, 'content-length') }) : null;
    case 'partial':
      return answer.ok ? new Response(answer.body, { status: 206, headers: answer.headers }) : null;
    case 'range_not_satisfiable': {
      if (!answer.ok) return null;
      const headers = without(answer.headers, 'content-length');
      headers.set('content-range', `bytes */${outcome.sizeBytes}`);
      return new Response(null, { status: 416, headers });
    }
  }
}

/** Fault of 0.10.0: storage-js reads `signedURL`, relative to the storage API, and Lite answers `signedUrl` with its prefix. */
export function signedDownload(body: unknown, prefix: string): unknown {
  const rename = (entry: { signedUrl?: string; error?: string | null }) => ({
    ...entry,
    signedURL: entry.signedUrl ? entry.signedUrl.replace(prefix, '') : null,
    error: entry.error ?? null,
  });
  return Array.isArray(body) ? body.map(rename) : rename(body as object);
}

/** Fault of 0.10.0: storage-js reads `url`, and Lite answers `signedUrl`. */
export function signedUpload(body: unknown, prefix: string): unknown {
  return { ...(body as object), url: String((body as { signedUrl?: string }).signedUrl ?? '').replace(prefix, '') };
}

/** Fault of 0.10.0: storage-js reads `Key` with the bucket's name, and Lite answers `key` without it. */
export function copied(body: unknown, bucket: string): unknown {
  return { ...(body as object), Key: `${bucket}/${(body as { key?: string }).key}` };
}

interface ObjectRow {
  id: string;
  name: string;
  version: string | null;
  bucket_id: string;
  created_at: string;
  updated_at: string;
  user_metadata: unknown;
  httpMetadata: { size: number; mimetype: string; cacheControl: string; eTag: string };
}

/** Fault of 0.10.0: `info` answers the row of its table; hosted Storage answers size, type and the rest at the top. */
export function objectInfo(body: unknown): unknown {
  const { id, name, version, bucket_id, created_at, updated_at, user_metadata, httpMetadata } = body as ObjectRow;
  const { size, mimetype, cacheControl, eTag } = httpMetadata;
  return {
    id,
    name,
    version,
    bucket_id,
    size,
    content_type: mimetype,
    cache_control: cacheControl,
    etag: eTag,
    metadata: user_metadata,
    last_modified: updated_at,
    created_at,
  };
}

export function without(headers: Headers, name: string): Headers {
  const left = new Headers(headers);
  left.delete(name);
  return left;
}
