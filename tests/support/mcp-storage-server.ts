import { createHash } from 'node:crypto';
import type { HttpBindings } from '@hono/node-server';
import { InMemoryTransport, type Transport } from '@modelcontextprotocol/client';
import { type CallToolResult, createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { McpStorage } from '../../src/config/mcp-storage.ts';
import { listen } from '../../src/server/listen.ts';
import { freshId } from './vendor-server.ts';

interface Held {
  file_id: string;
  title: string;
  media_type: string;
  bytes: number;
  digest: string;
  created: string;
  content: Buffer;
}

/** How its tools are set up in `config/mcp_config.json`. */
export const STORAGE: Omit<McpStorage, 'server' | 'variables'> = {
  maxFileMb: 64,
  notFound: 'no such file',
  fields: { id: 'file_id', sizeBytes: 'bytes', name: 'title', mimeType: 'media_type', createdAt: 'created', sha256: 'digest' },
  tools: {
    upload: {
      name: 'put_file',
      arguments: { title: '{name}', data: '{base64}', media_type: '{mimeType}', folder: 'cutover' },
      object: 'file',
    },
    info: { name: 'stat_file', arguments: { file_id: '{id}' }, object: 'file' },
    delete: { name: 'remove_file', arguments: { file_id: '{id}' } },
    list: { name: 'list_files', arguments: { after: '{cursor}' }, objects: 'page.files', next: 'page.after' },
    download: { name: 'get_file', arguments: { file_id: '{id}' }, content: 'resource' },
  },
};

export interface StorageServer {
  readonly files: Map<string, Held>;
  /** The next call of this tool goes wrong so. `lose`: the work is done, and the connection ends before the answer. */
  failNext(tool: string, how: { error: string } | 'lose' | 'hang'): void;
  /** Its tools, for one connection. @param drop ends that */
  serve(drop: () => void): McpServer;
  /** A new connection to it, in this process. */
  transport(): Transport;
  /** The same files over streamable HTTP, for those with the token. */
  listen(token: string): Promise<{ url: string; close(): Promise<void> }>;
}

const PAGE = 100;

/** A storage as somebody else's MCP server has it: ids of its own, pages, errors as results that say so. */
export function createStorageServer(): StorageServer {
  const files = new Map<string, Held>();
  const faults = new Map<string, ({ error: string } | 'lose' | 'hang')[]>();
  const shown = ({ content: _, ...file }: Held) => file;
  const done = (structuredContent: Record<string, unknown>): CallToolResult => ({
    structuredContent,
    content: [{ type: 'text', text: JSON.stringify(structuredContent) }],
  });
  const refused = (text: string): CallToolResult => ({ isError: true, content: [{ type: 'text', text }] });

  function serve(drop: () => void): McpServer {
    const server = new McpServer({ name: 'storage', version: '1.0.0' });
    function on<I extends z.ZodObject>(name: string, input: I, work: (given: z.output<I>) => CallToolResult) {
      server.registerTool(name, { inputSchema: input }, (async (given: z.output<I>) => {
        const fault = faults.get(name)?.shift();
        if (fault === 'hang') return await new Promise<never>(() => undefined);
        if (typeof fault === 'object') return refused(fault.error);
        const result = work(given);
        if (fault === 'lose') drop();
        return result;
      }) as never);
    }
    const held = (id: string, work: (file: Held) => CallToolResult) => {
      const file = files.get(id);
      return file === undefined ? refused(`There is no such file: ${id}`) : work(file);
    };
    const ofFile = z.strictObject({ file_id: z.string() });
    on(
      'put_file',
      z.strictObject({ title: z.string().min(1), data: z.base64(), media_type: z.string(), folder: z.literal('cutover') }),
      ({ title, data, media_type }) => {
        const content = Buffer.from(data, 'base64');
        const digest = createHash('sha256').update(content).digest('hex');
        const file = {
          file_id: freshId('f_'),
          title,
          media_type,
          bytes: content.length,
          digest,
          created: new Date().toISOString(),
          content,
        };
        files.set(file.file_id, file);
        return done({ file: shown(file) });
      },
    );
    on('stat_file', ofFile, ({ file_id }) => held(file_id, (file) => done({ file: shown(file) })));
    on('remove_file', ofFile, ({ file_id }) =>
      held(file_id, () => {
        files.delete(file_id);
        return done({ removed: true });
      }),
    );
    on('list_files', z.strictObject({ after: z.string().optional() }), ({ after = '' }) => {
      const behind = [...files.values()].filter(({ file_id }) => file_id > after).sort((a, b) => (a.file_id < b.file_id ? -1 : 1));
      const page = behind.slice(0, PAGE);
      return done({ page: { files: page.map(shown), after: behind.length > PAGE ? page.at(-1)?.file_id : null } });
    });
    on('get_file', ofFile, ({ file_id }) =>
      held(file_id, ({ content, media_type }) => ({
        content: [{ type: 'resource', resource: { uri: `storage://${file_id}`, mimeType: media_type, blob: content.toString('base64') } }],
      })),
    );
    return server;
  }

  return {
    files,
    serve,
    failNext: (name, how) => faults.set(name, [...(faults.get(name) ?? []), how]),
    transport() {
      const [ours, theirs] = InMemoryTransport.createLinkedPair();
      const server = serve(() => void theirs.close());
      // Messages wait in the pair until somebody listens.
      server.connect(theirs).catch(() => undefined);
      return ours;
    },
    async listen(token) {
      const handler = createMcpHandler(() => serve(() => undefined), { maxRequestBodySize: 64 * 1024 * 1024 });
      const fetch = async (request: Request, _: HttpBindings) =>
        request.headers.get('authorization') === `Bearer ${token}` ? await handler.fetch(request) : new Response('no', { status: 401 });
      const { url, stop } = await listen(fetch, { host: '127.0.0.1', port: 0 });
      return { url: `${url}/mcp`, close: async () => void (await stop(0)) };
    },
  };
}
