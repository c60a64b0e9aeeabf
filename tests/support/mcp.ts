import { Client, InMemoryTransport, type Progress } from '@modelcontextprotocol/client';
import { openRoots } from '../../src/mcp/roots.ts';
import { createMcpServer } from '../../src/mcp/server.ts';
import type { Opened } from '../../src/mcp/world.ts';
import { createWorld } from '../../src/mcp/world.ts';
import { createRedactor } from '../../src/observability/redact.ts';

export interface CallOptions {
  signal?: AbortSignal;
  progress?: string[];
}

/** What a tool answered: its data, or what was wrong. */
export interface Answered {
  data: Record<string, unknown>;
  /** The text for people, or for models that get no data. */
  text: string;
  isError: boolean;
}

export interface McpSession {
  client: Client;
  call(name: string, args?: Record<string, unknown>, options?: CallOptions): Promise<Answered>;
  /** What was logged of each call. */
  lines: { fields: Record<string, unknown>; message: string }[];
  close(): Promise<void>;
}

/** The words of a call, however the client is connected. */
export const callOver =
  (client: Client) =>
  async (name: string, args: Record<string, unknown> = {}, { signal, progress }: CallOptions = {}): Promise<Answered> => {
    const onprogress = progress === undefined ? {} : { onprogress: ({ message = '' }: Progress) => void progress.push(message) };
    const result = await client.callTool(
      { name, arguments: args },
      { timeout: 120_000, ...onprogress, ...(signal === undefined ? {} : { signal }) },
    );
    return {
      data: (result.structuredContent ?? {}) as Record<string, unknown>,
      text: result.content.map((block) => (block.type === 'text' ? block.text : '')).join('\n'),
      isError: result.isError === true,
    };
  };

/** A client of the server, both in this process. */
export async function connectMcp(
  open: () => Opened,
  { roots = [], cwd, kept = [], secrets = [] }: { roots?: string[]; cwd: string; kept?: string[]; secrets?: string[] },
): Promise<McpSession> {
  const lines: McpSession['lines'] = [];
  const log = (fields: object, message: string) => void lines.push({ fields: fields as Record<string, unknown>, message });
  const world = createWorld(open);
  const server = createMcpServer(
    { world, roots: await openRoots(roots, cwd, kept), by: 'ann via MCP', now: Date.now },
    { redact: createRedactor(secrets), log: { info: log, warn: log } },
    '0.0.0',
  );
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  await server.connect(theirs);
  const client = new Client({ name: 'test', version: '0.0.0' });
  await client.connect(ours);
  return { client, call: callOver(client), lines, close: async () => await client.close() };
}
