import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { extensionOf } from '../domain/capabilities.ts';
import { FileNotFoundError } from '../domain/errors.ts';
import type { Multipliers } from '../domain/time-limits.ts';
import { timeoutsFor } from '../providers/call-timeouts.ts';
import { resumingDownload } from '../providers/download.ts';
import { nullIfMissing, type Operation } from '../providers/failure.ts';
import { createHttp } from '../providers/http.ts';
import { type CallTimeouts, callLimits, transferLimits } from '../providers/watchdog.ts';
import { wireType } from '../providers/wire-type.ts';
import type { CallContext, FileService, StoredFile } from './file-service.ts';

export interface LegacySupabaseOptions {
  url: string;
  secretKey: string;
  /** Where the application keeps its files; not Cutover's own. */
  bucket: string;
  timeouts: CallTimeouts;
  /** Of the time of a small call, by what kind of model a file is for (`operations.multipliers` of the configuration); 1 where absent. */
  multipliers?: Partial<Multipliers>;
  /** Whether it is the project that the workers know, too, and they can read its objects themselves. */
  seenByWorkers?: boolean;
}

/** A row of `files`, as applications had it before anybody thought of hashes. */
const Row = z.object({
  id: z.uuid(),
  storage_path: z.string(),
  original_name: z.string().nullable(),
  mime_type: z.string().nullable(),
  size_bytes: z.number().nullable(),
  sha256: z.string().nullable(),
  owner: z.string().nullable(),
});
const COLUMNS = 'id,storage_path,original_name,mime_type,size_bytes,sha256,owner:metadata->>user_id';

/**
 * The upload path with which most applications begin: straight to Supabase Storage, and a row in `files`. No hash, no dedupe, no second
 * try: whoever uploads the same file twice has it twice.
 */
export function createLegacySupabase(options: LegacySupabaseOptions): FileService {
  const { url, secretKey, bucket, timeouts: standard, multipliers = {}, seenByWorkers = false } = options;
  const base = new URL(url);
  const http = createHttp({
    base,
    headers: { apikey: secretKey, authorization: `Bearer ${secretKey}` },
    speaker: {
      provider: 'legacy',
      where: `${base.host}/${bucket}`,
      secrets: [secretKey],
      advice: { bucket_not_found: 'Create the bucket of the old upload path' },
    },
  });
  const timeoutsOf = ({ model }: Pick<CallContext, 'model'>) => timeoutsFor(standard, multipliers, model);
  const objectPath = (path: string) =>
    `/storage/v1/object/${encodeURIComponent(bucket)}/${path.split('/').map(encodeURIComponent).join('/')}`;

  async function rows(
    operation: Operation,
    method: 'GET' | 'POST' | 'DELETE',
    filter: Record<string, string>,
    context: CallContext,
    body?: object,
  ) {
    const answer = await http.json<unknown>({
      operation,
      method,
      path: `/rest/v1/files?${new URLSearchParams({ select: COLUMNS, ...filter })}`,
      headers: { 'content-type': 'application/json', prefer: 'return=representation' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: context.signal,
      limits: callLimits(timeoutsOf(context)),
    });
    return z.array(Row).parse(answer);
  }
  async function rowOf(id: string, operation: Operation, context: CallContext) {
    if (!z.uuid().safeParse(id).success) return null;
    // Rows without a path are Cutover's own. A hash alone says nothing: a backfill gives old rows one.
    const [row] = await rows(operation, 'GET', { id: `eq.${id}`, storage_path: 'not.is.null', limit: '1' }, context);
    // What is somebody's is nobody else's; rows from before us may not say.
    return row === undefined || (row.owner !== null && row.owner !== context.userId) ? null : row;
  }

  return {
    async upload(file, context) {
      const { signal, userId, tool, operationId } = context;
      const extension = extensionOf(file.name).replace(/[^a-z0-9]/g, '');
      const storagePath = `uploads/${randomUUID()}${extension === '' ? '' : `.${extension}`}`;
      await http.call({
        operation: 'upload',
        method: 'POST',
        path: objectPath(storagePath),
        headers: { 'content-type': wireType(file.mimeType ?? 'application/octet-stream'), 'content-length': String(file.sizeBytes) },
        body: file.open(),
        signal,
        limits: transferLimits(timeoutsOf(context), file.sizeBytes),
      });
      const row = { storage_path: storagePath, original_name: file.name, mime_type: file.mimeType, size_bytes: file.sizeBytes };
      const [made] = await rows('upload', 'POST', {}, context, { ...row, metadata: { user_id: userId, tool, operation_id: operationId } });
      if (made === undefined)
        throw http.failure('upload', { kind: 'refused', code: 'unexpected_answer', retryable: false, detail: 'no row came back' });
      return storedFile(made);
    },
    async download(id, context) {
      const row = await rowOf(id, 'download', context);
      if (row === null) throw new FileNotFoundError(`There is no file ${id} in the old storage`, { code: 'not_found', provider: 'legacy' });
      const timeouts = timeoutsOf(context);
      return await resumingDownload({
        ...{ http, path: objectPath(row.storage_path), signal: context.signal, timeouts },
        retry: { maxRetries: 0, budgetMs: timeouts.callMs },
        sizeOf: async () => row.size_bytes,
      });
    },
    async delete(id, context) {
      const { signal } = context;
      const limits = callLimits(timeoutsOf(context));
      const row = await rowOf(id, 'delete', context);
      if (row === null) return false;
      await nullIfMissing(http.call({ operation: 'delete', method: 'DELETE', path: objectPath(row.storage_path), signal, limits }));
      if (row.sha256 === null) return (await rows('delete', 'DELETE', { id: `eq.${id}` }, context)).length > 0;
      // What has a hash can stand for copies of ours, too: then only the old object is gone.
      await http.call({
        operation: 'delete',
        method: 'PATCH',
        path: `/rest/v1/files?id=eq.${id}`,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ storage_path: null }),
        signal,
        limits,
      });
      return true;
    },
    async info(id, context) {
      const row = await rowOf(id, 'info', context);
      return row === null ? null : storedFile(row);
    },
    async find(operationId, context) {
      // By containment, for which `metadata` has an index.
      const filter = { metadata: `cs.${JSON.stringify({ operation_id: operationId })}`, storage_path: 'not.is.null', limit: '1' };
      const [row] = await rows('info', 'GET', filter, context);
      return row === undefined ? null : storedFile(row);
    },
    async locate(id, context) {
      const row = !seenByWorkers ? null : await rowOf(id, 'info', context);
      if (row === null) return null;
      const { storage_path: path, size_bytes: sizeBytes, original_name: name, mime_type: mimeType } = row;
      return { kind: 'object', provider: 'supabase', id: `${bucket}/${path}`, sizeBytes: sizeBytes ?? 0, name: name ?? path, mimeType };
    },
    async list({ after, limit }, context) {
      const { userId } = context;
      const owner: Record<string, string> =
        userId === null ? { 'metadata->>user_id': 'is.null' } : { metadata: `cs.${JSON.stringify({ user_id: userId })}` };
      const from: Record<string, string> = after === null ? {} : { id: `gt.${after}` };
      const found = await rows(
        'list',
        'GET',
        { ...owner, ...from, storage_path: 'not.is.null', order: 'id', limit: String(limit) },
        context,
      );
      return { files: found.map(storedFile), next: found.length === limit ? (found.at(-1)?.id ?? null) : null };
    },
  };
}

const storedFile = ({ id, original_name, storage_path, mime_type, size_bytes }: z.infer<typeof Row>): StoredFile => ({
  id,
  name: original_name ?? storage_path,
  sizeBytes: size_bytes ?? 0,
  mimeType: mime_type,
  sha256: null,
});
