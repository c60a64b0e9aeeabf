import type { Outcome } from './request-context.ts';

/** Lite lets every origin read its answers; ours are no different. */
const ANY_ORIGIN = { 'access-control-allow-origin': '*' };

/** Hosted Storage's own names of errors, which storage-js decides by. */
const CODES: Readonly<Record<string, string>> = {
  not_found: 'NoSuchKey',
  'Bucket not found': 'NoSuchBucket',
  Duplicate: 'ResourceAlreadyExists',
  ResourceNotEmpty: 'InvalidRequest',
  'Invalid key': 'InvalidKey',
  invalid_mime_type: 'InvalidMimeType',
  'Payload too large': 'EntityTooLarge',
  Unauthorized: 'AccessDenied',
};

/** An error in the form of Supabase Storage: HTTP 400 with the real status in the body, except where the server itself is the cause. */
export function storageError(statusCode: number, error: string, message: string): Response {
  const body = { statusCode: String(statusCode), error, message, code: CODES[error] ?? error };
  return Response.json(body, { status: statusCode === 507 ? 507 : 400, headers: ANY_ORIGIN });
}

/** Fault of 0.10.0: its errors have no `code`, so that storage-js's `exists` takes a missing object for a failure. */
export async function withCode(response: Response): Promise<Response> {
  if (response.ok || !response.headers.get('content-type')?.startsWith('application/json')) return response;
  const body = (await response.clone().json()) as { error?: unknown; code?: unknown };
  if (body.code !== undefined || typeof body.error !== 'string') return response;
  return withBody(response, { ...body, code: CODES[body.error] ?? body.error });
}

/** The same answer with another body. */
export function withBody({ status, headers }: Response, body: unknown): Response {
  return Response.json(body, { status, headers: without(headers, 'content-length') });
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
export function signedDownload(body: unknown, prefix: string): { signedURL: string } {
  return { signedURL: String((body as { signedUrl?: string }).signedUrl ?? '').replace(prefix, '') };
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
