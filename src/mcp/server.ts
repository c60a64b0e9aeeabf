import { McpServer } from '@modelcontextprotocol/server';
import { registerTool, type Telling } from './register.ts';
import type { ToolContext } from './tool.ts';
import { createToolWords } from './tool-words.ts';
import { TOOLS } from './tools.ts';

const INSTRUCTIONS = `Cutover moves an application's files from one upload path to another without losing one.
Uploads, migrations and sweeps are durable: they come to their end also when a call is cancelled or times out. A call waits at most \
wait_seconds, then says \`running\` and how to come back. Lists are cut where they are long: go on with \`next\` as \`cursor\`.
What deletes asks to have a name typed again (\`confirm\`): show what would go to the person you work for first.`;

/** A server of the protocol with every tool, for one connection. */
export function createMcpServer(context: ToolContext, telling: Omit<Telling, 'words'>, version: string): McpServer {
  const server = new McpServer({ name: 'cutover', title: 'Cutover', version }, { instructions: INSTRUCTIONS });
  const words = createToolWords(TOOLS);
  for (const tool of TOOLS) registerTool(server, tool, context, { ...telling, words });
  return server;
}
