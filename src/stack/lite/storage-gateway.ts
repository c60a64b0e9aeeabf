import type { Kysely } from 'kysely';
import { z } from 'zod';
import { clearBucketLimits } from './bucket-update.ts';
import { KeyLock } from './key-lock.ts';
import { ListRequest, listFolder } from './list-folder.ts';
import { type StorageRequest, storageRequest } from './request-context.ts';
import {
  answerFor,
  copied,
  objectInfo,
  signedDownload,
  signedUpload,
  storageError,
  tooLarge,
  withBody,
  withCode,
} from './storage-answers.ts';

export type Handler = (request: Request) => Promise<Response>;

export interface GatewayOptions {
  /** Lite's own API. */
  lite: Handler;
  database: Kysely<unknown>;
  secretKey: string;
  maxUploadBytes: number;
}

const PREFIX = '/storage/v1';
/** First path parts after `/object/` that are operations and not buckets. */
const OPERATIONS = ['list', 'sign', 'copy', 'move', 'info', 'public', 'upload', 'authenticated'];
/** What a multipart body may have besides the file. */
const MULTIPART_ALLOWANCE_BYTES = 64 * 1024;

/** Stands before Lite's Storage API and mends what 0.10.0 gets wrong there; everything else passes through. */
export function storageGateway(options: GatewayOptions): Handler {
  const uploads = new KeyLock();
  return async (request) => {
    const url = new URL(request.url);
    if (!url.pathname.startsWith(`${PREFIX}/`)) return options.lite(request);
    const path = url.pathname.slice(PREFIX.length);
    const { method } = request;
    // Fault of 0.10.0: takes `authenticated` for a bucket.
    if (path.startsWith('/object/authenticated/') && (method === 'GET' || method === 'HEAD')) {
      url.pathname = PREFIX + path.replace('/authenticated/', '/');
      return read(new Request(url, request), options);
    }
    const target = method === 'POST' || method === 'PUT' ? uploadTarget(method, path) : null;
    if (target !== null) return upload(request, target, uploads, options);
    if (method === 'HEAD' || method === 'GET') return read(request, options);
    const listed = /^\/object\/list\/([^/]+)$/.exec(path)?.[1];
    // For others than the service, rows are for policies to filter: Lite does that.
    if (listed !== undefined && request.headers.get('apikey') === options.secretKey)
      return list(request, decodeURIComponent(listed), options);
    const updated = method === 'PUT' ? /^\/bucket\/([^/]+)$/.exec(path)?.[1] : undefined;
    if (updated !== undefined && request.headers.get('apikey') === options.secretKey)
      return updateBucket(request, decodeURIComponent(updated), options);
    const signed = method === 'POST' ? /^\/object\/sign\/([^/]+)$/.exec(path)?.[1] : undefined;
    if (signed !== undefined) return signAll(request, signed, options);
    return reshaped(request, path, options);
  };
}

/** Bucket and key of an upload; null for another request. */
function uploadTarget(method: string, path: string): { bucket: string; key: string } | null {
  const signed = method === 'PUT' ? /^\/object\/upload\/sign\/([^/]+)\/(.+)$/.exec(path) : null;
  const plain = /^\/object\/([^/]+)\/(.+)$/.exec(path);
  const [, bucket, key] = signed ?? (plain !== null && !OPERATIONS.includes(plain[1] ?? '') ? plain : []);
  return bucket === undefined || key === undefined ? null : { bucket: decodeURIComponent(bucket), key };
}

/**
 * Faults of 0.10.0: of parallel uploads with `upsert: false` the losers overwrite the winner's bytes (so one key at a time); a body
 * without a length passes every limit; one that breaks off is stored as if it were whole.
 */
async function upload(
  request: Request,
  { bucket, key }: { bucket: string; key: string },
  uploads: KeyLock,
  options: GatewayOptions,
): Promise<Response> {
  const announced = request.headers.get('content-length');
  const multipart = request.headers.get('content-type')?.startsWith('multipart/') === true;
  const limit = await bucketLimit(options, bucket);
  if (announced !== null && Number(announced) > limit + (multipart ? MULTIPART_ALLOWANCE_BYTES : 0)) {
    await request.body?.cancel();
    return tooLarge();
  }
  const contentLength = announced === null || multipart ? null : Number(announced);
  return uploads.run(`${bucket}/${key}`, () => withContext({ contentLength, limit }, request, options));
}

/** Faults of 0.10.0: no ranges, no 304, and a HEAD without headers. */
async function read(request: Request, options: GatewayOptions): Promise<Response> {
  const headOnly = request.method === 'HEAD';
  const { headers } = request;
  const response = await withContext(
    { headOnly, range: headOnly ? null : headers.get('range'), ifNoneMatch: headers.get('if-none-match') },
    headOnly ? new Request(request.url, { method: 'GET', headers }) : request,
    options,
  );
  const { pathname, searchParams } = new URL(request.url);
  if (headOnly) {
    await response.body?.cancel();
    return new Response(null, { status: response.status, headers: response.headers });
  }
  if (response.ok && pathname.startsWith(`${PREFIX}/object/info/`)) return withBody(response, objectInfo(await response.json()));
  return expiredToken(response, pathname, searchParams);
}

async function list(request: Request, bucket: string, { database }: GatewayOptions): Promise<Response> {
  const parsed = ListRequest.safeParse(await jsonOf(request));
  if (!parsed.success) return storageError(400, 'InvalidRequest', 'The body must be a JSON object with prefix, limit, offset and sortBy');
  const entries = await listFolder(database, bucket, parsed.data);
  return entries === null ? storageError(404, 'Bucket not found', 'Bucket not found') : Response.json(entries);
}

async function updateBucket(request: Request, bucket: string, options: GatewayOptions): Promise<Response> {
  const rest = await clearBucketLimits(options.database, bucket, await jsonOf(request.clone()));
  if (rest === null) return withContext({}, request, options);
  const headers = new Headers(request.headers);
  headers.delete('content-length');
  return withContext({}, new Request(request.url, { method: 'PUT', headers, body: JSON.stringify(rest) }), options);
}

const SignRequest = z.object({ expiresIn: z.number(), paths: z.array(z.string()) });

/** Fault of 0.10.0: its route for one path answers requests for several, too, and finds no object. So one after the other. */
async function signAll(request: Request, bucket: string, options: GatewayOptions): Promise<Response> {
  const parsed = SignRequest.safeParse(await jsonOf(request));
  if (!parsed.success) return storageError(400, 'InvalidRequest', 'The body must be a JSON object with expiresIn and paths');
  const { expiresIn, paths } = parsed.data;
  const headers = new Headers(request.headers);
  headers.delete('content-length');
  const answers: unknown[] = [];
  for (const path of paths) {
    const url = new URL(`${PREFIX}/object/sign/${bucket}/${encodeURI(path)}`, request.url);
    const one = await options.lite(new Request(url, { method: 'POST', headers, body: JSON.stringify({ expiresIn }) }));
    const body = (await one.json()) as { message?: string };
    answers.push(
      one.ok ? { path, error: null, ...signedDownload(body, PREFIX) } : { path, error: body.message ?? 'error', signedURL: null },
    );
  }
  return Response.json(answers, { headers: { 'access-control-allow-origin': '*' } });
}

const CopyRequest = z.object({ bucketId: z.string(), destinationBucket: z.string().optional() });

const jsonOf = (request: Request): Promise<unknown> => request.json().catch(() => null);

async function reshaped(request: Request, path: string, options: GatewayOptions): Promise<Response> {
  const copying =
    request.method === 'POST' && path === '/object/copy' ? CopyRequest.safeParse(await jsonOf(request.clone())).data : undefined;
  const response = await withContext({}, request, options);
  if (request.method === 'POST' && response.ok) {
    if (path.startsWith('/object/sign/')) return withBody(response, signedDownload(await response.json(), PREFIX));
    if (path.startsWith('/object/upload/sign/')) return withBody(response, signedUpload(await response.json(), PREFIX));
    if (copying !== undefined) return withBody(response, copied(await response.json(), copying.destinationBucket ?? copying.bucketId));
  }
  const { pathname, searchParams } = new URL(request.url);
  return expiredToken(response, pathname, searchParams);
}

/** Fault of 0.10.0: a signed URL that has expired or was tampered with is answered with 500. */
function expiredToken(response: Response, pathname: string, search: URLSearchParams): Response {
  const signed = /^\/storage\/v1\/object\/(upload\/)?sign\//.test(pathname) && search.has('token');
  return signed && response.status === 500 ? storageError(400, 'InvalidJWT', 'The token is invalid or has expired') : response;
}

async function withContext(
  context: Partial<StorageRequest>,
  request: Request,
  { lite, maxUploadBytes }: GatewayOptions,
): Promise<Response> {
  const store: StorageRequest = {
    range: null,
    ifNoneMatch: null,
    headOnly: false,
    contentLength: null,
    limit: maxUploadBytes,
    outcome: null,
    ...context,
  };
  const response = await storageRequest.run(store, () => lite(request));
  return withCode((store.outcome === null ? null : answerFor(store.outcome, response)) ?? response);
}

async function bucketLimit({ database, maxUploadBytes }: GatewayOptions, bucket: string): Promise<number> {
  const row = await (database as Kysely<{ 'storage.buckets': { id: string; file_size_limit: number | null } }>)
    .selectFrom('storage.buckets')
    .select('file_size_limit')
    .where('id', '=', bucket)
    .executeTakeFirst();
  return Math.min(maxUploadBytes, row?.file_size_limit ?? maxUploadBytes);
}
