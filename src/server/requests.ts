import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { MimeType } from '../domain/models.ts';
import { MODEL_KINDS, type ModelKind } from '../domain/time-limits.ts';
import { RequestRefused } from './refusals.ts';

/** What a request asks for, read from its query and headers before its body. Each refusal names what is wrong and what is allowed. */

/** PostgreSQL keeps no text with a zero in it. */
const storable = (text: z.ZodString) => text.refine((value) => !value.includes('\0'), 'must not contain a zero byte');

const upTo = (most: number) => z.string().min(1, `must have 1 to ${most} characters`).max(most, `must have 1 to ${most} characters`);
export const QUERY = {
  operation_id: z
    .string()
    .regex(/^[A-Za-z0-9._:-]{1,200}$/, 'must be 1 to 200 of A-Z, a-z, 0-9 and . _ : -')
    .describe(
      "The application's own id of the request, for logs and workflows; one is made where it is absent. An upload of the same bytes and name under the same one is the same, tried again",
    ),
  user: storable(upTo(500)).describe('On whose behalf; absent: on nobody’s'),
  name: storable(upTo(4096)).describe('What the file is called'),
  purpose: storable(upTo(100)).default('storage').describe("What the file is for (a use, or a provider's own purpose)"),
  model: z
    .enum(MODEL_KINDS, `must be one of ${MODEL_KINDS.join(', ')}`)
    .describe('What kind of model the file is for, by which the time limits are multiplied; absent: a standard one'),
  limit: z
    .string()
    .regex(/^([1-9]\d{0,2}|1000)$/, 'must be a whole number from 1 to 1000')
    .default('100')
    .describe('How many files a page has at most'),
  after: z
    .string()
    .regex(/^[ul]:/, 'must be the `next` of an earlier page')
    .describe('The `next` of the page before'),
} satisfies Record<string, z.ZodType>;

/** @throws RequestRefused 400 */
function read<T>(query: URLSearchParams, key: keyof typeof QUERY, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(query.get(key) ?? undefined);
  if (parsed.success) return parsed.data;
  const missing = query.get(key) === null;
  throw new RequestRefused(400, `invalid_${key}`, `\`${key}\` in the query ${missing ? 'is missing' : parsed.error.issues[0]?.message}`);
}

export const operationIdOf = (query: URLSearchParams): string | null => read(query, 'operation_id', QUERY.operation_id.optional()) ?? null;

export interface Asker {
  tool: string;
  userId: string | null;
  /** What kind of model the file is for; absent: it does not say. */
  model?: ModelKind | undefined;
}

/** For whom, and for what. @throws RequestRefused 400, which lists the tools, or the kinds of models */
export function askerOf(query: URLSearchParams, tools: readonly string[]): Asker {
  const tool = query.get('tool');
  if (tool === null || !tools.includes(tool)) {
    const found = tool === null ? '`tool` in the query is missing' : `There is no tool ${JSON.stringify(tool)}`;
    throw new RequestRefused(400, tool === null ? 'invalid_tool' : 'unknown_tool', `${found}; there are: ${tools.join(', ')}`);
  }
  return {
    tool,
    userId: read(query, 'user', QUERY.user.optional()) ?? null,
    model: read(query, 'model', QUERY.model.optional()),
  };
}

export const pageOf = (query: URLSearchParams): { limit: number; after: string | null } => ({
  limit: Number(read(query, 'limit', QUERY.limit)),
  after: query.get('after') === '' ? null : (read(query, 'after', QUERY.after.optional()) ?? null),
});

export interface Announced {
  name: string;
  purpose: string;
  /** Null: by the name. */
  mimeType: string | null;
}

/**
 * What comes in the body, known before a byte of it is read.
 * @throws RequestRefused 400, 411 where there is none, 413 for a length of more than `maxFileBytes`, 415 for a body that is not the file itself
 */
export function announcedBy(query: URLSearchParams, headers: IncomingHttpHeaders, maxFileBytes: number): Announced {
  const announced = { name: read(query, 'name', QUERY.name), purpose: read(query, 'purpose', QUERY.purpose) };
  const mimeType = mimeTypeOf(headers);
  const length = headers['content-length'];
  if (length === undefined && headers['transfer-encoding'] === undefined)
    throw new RequestRefused(411, 'body_missing', 'There is no body: send the file as the body, with content-length (0 for an empty one)');
  const sizeBytes = Number(length ?? 0);
  if (sizeBytes > maxFileBytes)
    throw new RequestRefused(
      413,
      'file_too_large',
      `The file has ${sizeBytes} bytes; at most ${maxFileBytes} are taken (MAX_FILE_SIZE_MB)`,
    );
  return { ...announced, mimeType };
}

function mimeTypeOf({ 'content-type': given, 'content-encoding': encoding }: IncomingHttpHeaders): string | null {
  const refuse = (message: string) => new RequestRefused(415, 'unsupported_media_type', message);
  if (encoding !== undefined && encoding !== 'identity')
    throw refuse(`The body is the file as it is, without content-encoding: it would be kept as ${encoding}`);
  // What curl says of every body, and therefore nothing.
  if (given === undefined || given.trim() === '' || /^application\/x-www-form-urlencoded\b/i.test(given)) return null;
  if (/^multipart\//i.test(given))
    throw refuse('The body is the file itself, not a form: curl --data-binary @FILE or -T FILE, requests.post(url, data=file)');
  if (!MimeType.safeParse(given).success)
    throw refuse(`content-type is ${JSON.stringify(given)} and must be a MIME type such as text/plain`);
  return given;
}
