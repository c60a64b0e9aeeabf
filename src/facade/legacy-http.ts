import { z } from 'zod';
import { hasCode, ProviderUnavailableError, ValidationError } from '../domain/errors.ts';
import type { Multipliers } from '../domain/time-limits.ts';
import { timeoutsFor } from '../providers/call-timeouts.ts';
import { resumingDownload } from '../providers/download.ts';
import { nullIfMissing, type Operation } from '../providers/failure.ts';
import { createHttp } from '../providers/http.ts';
import { type CallTimeouts, callLimits, transferLimits } from '../providers/watchdog.ts';
import type { CallContext, FileService, StoredFile } from './file-service.ts';

export interface LegacyHttpOptions {
  /** Below it are the paths of the contract. */
  url: string;
  /** Sent as a bearer token; null: none. */
  token: string | null;
  timeouts: CallTimeouts;
  /** Of the time of a small call, by what kind of model a file is for (`operations.multipliers` of the configuration); 1 where absent. */
  multipliers?: Partial<Multipliers>;
}

/** A file as the endpoint tells of it. */
export const LegacyFile = z.object({
  id: z.string().min(1).max(4096),
  name: z.string(),
  size_bytes: z.number().int().nonnegative(),
  mime_type: z.string().nullish(),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullish(),
});
export const LegacyPage = z.object({ files: z.array(LegacyFile), next: z.string().nullish() });

/**
 * An old upload path behind HTTP, in any language. Its contract, all below `url`; every request names `tool`, `user` (absent: nobody)
 * and `operation_id` in the query:
 *
 * - `POST /files?name=…` with the bytes as body, `content-type` and `content-length`: 2xx and the file
 * - `GET /files/ID`: the file, or 404; `GET /files/ID/content`: its bytes, ranges welcome; `DELETE /files/ID`: 2xx, or 404
 * - `GET /files?limit=…&after=…`: `{files, next}`, `next` null after the last
 *
 * A file is `{id, name, size_bytes, mime_type?, sha256?}`. 400, 413, 415 and 422 are the caller's mistakes. Nothing is tried again:
 * the endpoint may not be idempotent.
 */
export function createLegacyHttp({ url, token, timeouts: standard, multipliers = {} }: LegacyHttpOptions): FileService {
  const base = new URL(url);
  const http = createHttp({
    base,
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
    speaker: {
      provider: 'legacy',
      where: base.host,
      secrets: token === null ? [] : [token],
      advice: { connection_refused: 'Check the address of the legacy endpoint and whether it runs', unauthorized: 'Check its token' },
    },
  });
  const query = ({ tool, userId, operationId }: CallContext, more: Record<string, string> = {}) =>
    new URLSearchParams({ ...more, tool, operation_id: operationId, ...(userId === null ? {} : { user: userId }) });
  const timeoutsOf = ({ model }: CallContext) => timeoutsFor(standard, multipliers, model);
  const small = (operation: Operation, method: 'GET' | 'DELETE', path: string, context: CallContext) =>
    http.call({ operation, method, path, signal: context.signal, limits: callLimits(timeoutsOf(context)) });

  /** What answers there must keep to the contract, or its nonsense would be the application's. */
  function read<T>(schema: z.ZodType<T>, operation: Operation, text: string): T {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      value = undefined;
    }
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const [fault] = parsed.error.issues;
    throw new ProviderUnavailableError(
      `The legacy endpoint at ${base.host} answered ${operation} in a way that its contract does not know: ${value === undefined ? 'no JSON' : `${fault?.path.join('.') || 'the answer'}: ${fault?.message}`}`,
      { code: 'legacy_answer_invalid', provider: 'legacy', retryable: false },
    );
  }
  const address = (id: string) => `/files/${encodeURIComponent(id)}`;

  return {
    async upload(file, context) {
      const answer = http.call({
        operation: 'upload',
        method: 'POST',
        path: `/files?${query(context, { name: file.name })}`,
        headers: { 'content-type': file.mimeType ?? 'application/octet-stream', 'content-length': String(file.sizeBytes) },
        body: file.open(),
        signal: context.signal,
        limits: transferLimits(timeoutsOf(context), file.sizeBytes),
      });
      const { text } = await answer.catch((error: unknown) => {
        if (!hasCode(error, 'rejected')) throw error;
        throw new ValidationError(error.message, { code: 'rejected', provider: 'legacy', cause: error });
      });
      return storedFile(read(LegacyFile, 'upload', text));
    },
    async download(id, context) {
      const timeouts = timeoutsOf(context);
      return await resumingDownload({
        ...{ http, path: `${address(id)}/content?${query(context)}`, signal: context.signal, timeouts },
        retry: { maxRetries: 0, budgetMs: timeouts.callMs },
        sizeOf: async () => (await this.info(id, context))?.sizeBytes ?? null,
      });
    },
    async delete(id, context) {
      const path = `${address(id)}?${query(context)}`;
      return (await nullIfMissing(small('delete', 'DELETE', path, context))) !== null;
    },
    async info(id, context) {
      const path = `${address(id)}?${query(context)}`;
      const answer = await nullIfMissing(small('info', 'GET', path, context));
      return answer === null ? null : storedFile(read(LegacyFile, 'info', answer.text));
    },
    async list({ after, limit }, context) {
      const path = `/files?${query(context, { limit: String(limit), ...(after === null ? {} : { after }) })}`;
      const { text } = await small('list', 'GET', path, context);
      const { files, next } = read(LegacyPage, 'list', text);
      return { files: files.map(storedFile), next: next ?? null };
    },
  };
}

const storedFile = ({ id, name, size_bytes, mime_type, sha256 }: z.infer<typeof LegacyFile>): StoredFile => ({
  id,
  name,
  sizeBytes: size_bytes,
  mimeType: mime_type ?? null,
  sha256: sha256 ?? null,
});
