import { createHash } from 'node:crypto';
import type { CallToolResult, Transport } from '@modelcontextprotocol/client';
import { z } from 'zod';
import type { McpStorage, Placeholder } from '../config/mcp-storage.ts';
import type { Capabilities } from '../domain/capabilities.ts';
import { messageOf, UploadError } from '../domain/errors.ts';
import type { Failure } from './classify.ts';
import { errorFrom, nullIfMissing, type Operation, type Speaker, withoutSecrets } from './failure.ts';
import { createMarkedVendor, notDownloadable, type VendorCalls } from './marked-vendor.ts';
import type { McpConnection } from './mcp-connection.ts';
import { type Provider, type StoredObject, storedObjectOf, type UploadRequest } from './provider.ts';
import { type RetryPolicy, withRetries } from './retry.ts';
import type { VendorOptions } from './vendor.ts';
import { transferLimits } from './watchdog.ts';

export interface McpStorageOptions extends VendorOptions {
  storage: McpStorage;
  /** A new connection to the server. */
  transport: () => Transport | Promise<Transport>;
}

type Values = Partial<Record<Placeholder, string | number | null>>;
interface Called {
  data: unknown;
  content: CallToolResult['content'];
}

const PASSING = /rate limit|too many requests|try again|temporar|overloaded/i;
const CHUNK = 256 * 1024;
/** Characters of what a server says of a failure: it may be a whole web page. */
const LONGEST_DETAIL = 500;

/** What a file may be: it goes in one message. */
export const mcpCapabilities = (maxFileBytes: number, { tools }: Pick<McpStorage, 'tools'>): Capabilities => ({
  ...{ maxFileBytes, minFileBytes: 0, downloads: tools.download !== null, ranges: false, purposes: null },
  ...{ uses: ['storage'], quota: null, expiresAfterSeconds: null },
});

/** A storage behind another MCP server, which makes its own ids: its tools are called and understood as the configuration says. */
export function createMcpStorage(options: McpStorageOptions): Provider {
  const { storage, timeouts } = options;
  const { tools, fields, server, variables } = storage;
  const where = 'url' in server ? new URL(server.url).host : server.command;
  let connection: McpConnection | undefined;
  const speaker: Speaker = {
    ...{ provider: 'mcp', where, secrets: Object.values(variables) },
    advice: {
      unauthorized: `Check ${[...Object.keys(variables), 'the headers or the env in MCP_CONFIG'].join(', ')}`,
      server_not_started: 'Check the command in MCP_CONFIG',
      connection_refused: 'Check the url in MCP_CONFIG and the network',
      host_not_found: 'Check the url in MCP_CONFIG and the network',
      server_not_found: 'Check the url in MCP_CONFIG',
      unexpected_answer: 'Check the tools and fields in MCP_CONFIG: they must be those of this server',
      mcp_refused: 'Check the names and arguments of tools in MCP_CONFIG',
    },
  };
  function failure(operation: Operation, what: Failure, cause?: unknown) {
    const said = withoutSecrets(what.detail, speaker.secrets).replace(/\s+/g, ' ');
    return errorFrom({ ...what, detail: said.slice(0, LONGEST_DETAIL) }, operation, speaker, cause);
  }
  const unexpected = (operation: Operation, detail: string) =>
    failure(operation, { kind: 'refused', code: 'unexpected_answer', retryable: false, detail });

  async function call(
    operation: Operation,
    tool: { name: string; arguments: Record<string, string | number | boolean> },
    values: Values,
    limit: { signal: AbortSignal; timeoutMs: number },
  ): Promise<Called> {
    // Late, so that whoever has no such storage does not wait for the protocol.
    const { createMcpConnection, failureOfCall } = await import('./mcp-connection.ts');
    connection ??= createMcpConnection(options.transport);
    let result: CallToolResult;
    try {
      result = await connection.call(tool.name, argumentsOf(tool.arguments, values), limit);
    } catch (error) {
      limit.signal.throwIfAborted();
      const what = failureOfCall(error);
      // What the server said is in the message, masked and cut; its error would take all of it into logs and histories.
      throw failure(operation, what, what.detail.includes(messageOf(error)) ? undefined : error);
    }
    if (result.isError !== true) return { data: dataOf(result), content: result.content };
    throw failure(operation, refusalOf(textOf(result.content), tool.name, storage.notFound));
  }
  /** Nothing is heard while bytes move: half of the time of a transfer, so that a server that never answers is asked once more. */
  const attemptMs = (sizeBytes: number): number => transferLimits(timeouts, sizeBytes).totalMs / 2;
  const retry: RetryPolicy = { maxRetries: options.maxRetryAttempts, budgetMs: timeouts.callMs };
  const small = (signal: AbortSignal) => ({ signal, timeoutMs: timeouts.callMs });

  function objectOf(operation: Operation, data: unknown): StoredObject {
    const object = wireOf(data);
    if (object === null) throw noFile(operation);
    return object;
  }
  const noFile = (operation: Operation) =>
    unexpected(operation, `no file with an id (${fields.id}) and a size (${fields.sizeBytes}) is in its answer`);
  function wireOf(data: unknown): StoredObject | null {
    const found = Object.entries(fields).map(([name, at]) => [name, at === '' ? null : valueAt(data, at)]);
    const parsed = Wire.safeParse(Object.fromEntries(found));
    return parsed.success ? storedObjectOf(parsed.data) : null;
  }

  const calls: VendorCalls = {
    async create({ request, filename }) {
      const { body, mimeType, sha256, signal } = request;
      const base64 = (await wholeOf(request)).toString('base64');
      const values = { name: filename, base64, mimeType, sizeBytes: body.sizeBytes, sha256 };
      const limit = { signal, timeoutMs: attemptMs(body.sizeBytes) };
      return objectOf('upload', part((await call('upload', tools.upload, values, limit)).data, tools.upload.object));
    },
    async info(id, signal) {
      const found = await nullIfMissing(call('info', tools.info, { id }, small(signal)));
      const data = found === null ? null : part(found.data, tools.info.object);
      return data === null || data === undefined ? null : objectOf('info', data);
    },
    remove: async (id, signal) => await call('delete', tools.delete, { id }, small(signal)),
    async page(after, signal) {
      const { data } = await call('list', tools.list, { cursor: after }, small(signal));
      const objects = valueAt(data, tools.list.objects);
      if (!Array.isArray(objects)) throw unexpected('list', `no list (${tools.list.objects}) is in its answer`);
      const next = valueAt(data, tools.list.next);
      const files = objects.flatMap((one) => wireOf(one) ?? []);
      // A folder among files is none; where nothing is a file, the fields are not this server's.
      if (files.length === 0 && objects.length > 0) throw noFile('list');
      return { objects: files, next: typeof next === 'string' && next !== '' ? next : null };
    },
    async download(id, { signal }) {
      const tool = tools.download;
      if (tool === null) throw notDownloadable('mcp', 'no tool for it is set up in MCP_CONFIG');
      // How long it may take follows from its size.
      const stored = await calls.info(id, signal);
      const limit = { signal, timeoutMs: attemptMs(stored?.sizeBytes ?? 0) };
      const answer = await call('download', tool, { id }, limit);
      const base64 = tool.content === 'resource' ? blobOf(answer.content) : valueAt(answer.data, tool.content.base64);
      if (typeof base64 !== 'string') throw unexpected('download', 'no bytes are in its answer');
      const bytes = Buffer.from(base64, 'base64');
      return { sizeBytes: bytes.length, mimeType: null, chunks: chunksOf(bytes, signal) };
    },
  };
  return createMarkedVendor({
    ...options,
    name: 'mcp',
    account: storage.account ?? `${where}/${createHash('sha256').update(addressOf(server)).digest('hex').slice(0, 8)}`,
    capabilities: mcpCapabilities(options.maxFileBytes, storage),
    http: { failure },
    // Paths and addresses, too, where no part of them leads upwards.
    isId: /^(?!.*(?:^|\/)\.\.?(?:\/|$))[^\0]{1,2000}$/s,
    calls: { ...calls, download: (id, asked) => withRetries(retry, asked.signal, () => calls.download(id, asked)) },
  });
}

const addressOf = (server: McpStorage['server']): string => ('url' in server ? server.url : [server.command, ...server.args].join('\0'));

const Wire = z.object({
  id: z.union([z.string().min(1), z.number()]).transform(String),
  // Some write numbers as text. Nothing is no size of 0.
  sizeBytes: z.union([z.number(), z.string().regex(/^\d+$/).transform(Number)]).pipe(z.int().nonnegative()),
  name: z
    .string()
    .nullish()
    .transform((value) => value ?? null),
  mimeType: z
    .string()
    .nullish()
    .transform((value) => value ?? null),
  createdAt: z
    .string()
    .nullish()
    .transform((value) => value ?? null),
  sha256: z
    .string()
    .nullish()
    .transform((value) => value?.toLowerCase() ?? null),
});

/** A placeholder for what there is not leaves its argument out. */
function argumentsOf(given: Record<string, string | number | boolean>, values: Values): Record<string, unknown> {
  const filled = Object.entries(given).map(([name, value]) => {
    const [, placeholder] = /^\{(\w+)\}$/.exec(String(value)) ?? [];
    return [name, placeholder === undefined ? value : values[placeholder as Placeholder]];
  });
  return Object.fromEntries(filled.filter(([, value]) => value !== null && value !== undefined));
}

/** Its structured content; else the JSON of its text; else nothing. */
function dataOf({ structuredContent, content }: CallToolResult): unknown {
  if (structuredContent !== undefined) return structuredContent;
  try {
    return JSON.parse(textOf(content));
  } catch {
    return null;
  }
}

const textOf = (content: CallToolResult['content']): string =>
  content
    .map((block) => (block.type === 'text' ? block.text : ''))
    .join('\n')
    .trim();

function blobOf(content: CallToolResult['content']): string | null {
  for (const block of content) {
    if (block.type !== 'resource') continue;
    if ('blob' in block.resource) return block.resource.blob;
    return Buffer.from(block.resource.text).toString('base64');
  }
  return null;
}

const part = (data: unknown, at: string | null): unknown => (at === null ? data : valueAt(data, at));

function valueAt(data: unknown, at: string): unknown {
  return at
    .split('.')
    .reduce<unknown>(
      (value, name) => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined),
      data,
    );
}

function refusalOf(detail: string, tool: string, notFound: string): Failure {
  // Many servers answer so where others refuse the call, and it is no word about a file.
  if (isOfTool(detail, tool)) return { kind: 'refused', code: 'mcp_refused', retryable: false, detail };
  if (detail.toLowerCase().includes(notFound.toLowerCase())) return { kind: 'missing', code: 'not_found', retryable: false, detail };
  if (PASSING.test(detail)) return { kind: 'unavailable', code: 'rate_limited', retryable: true, detail };
  return { kind: 'refused', code: 'tool_failed', retryable: false, detail };
}

/** Whether a server says that it has no tool of this name, in the words of the protocol's own libraries. */
function isOfTool(said: string, tool: string): boolean {
  const words = said.replace(/["'`:\s]+/g, ' ');
  return words.includes(`Tool ${tool} not found`) || words.includes(`Unknown tool ${tool}`);
}

/** All of a file, which is small, and what was hashed before. */
async function wholeOf({ body, sha256, signal }: UploadRequest): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of body.open(0, signal)) {
    signal.throwIfAborted();
    sizeBytes += chunk.length;
    if (sizeBytes > body.sizeBytes) break;
    // Its memory is used again.
    chunks.push(Buffer.from(chunk));
  }
  signal.throwIfAborted();
  const whole = Buffer.concat(chunks);
  if (sizeBytes === body.sizeBytes && createHash('sha256').update(whole).digest('hex') === sha256) return whole;
  throw new UploadError('The file changed since it was hashed', { code: 'file_changed', provider: 'mcp' });
}

async function* chunksOf(bytes: Buffer, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for (let first = 0; first < bytes.length; first += CHUNK) {
    signal.throwIfAborted();
    yield bytes.subarray(first, first + CHUNK);
  }
}
