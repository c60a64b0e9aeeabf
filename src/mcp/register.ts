import type { CallToolResult, McpServer, ServerContext } from '@modelcontextprotocol/server';
import { ValidationError } from '../domain/errors.ts';
import { bytesOfTokens } from './page.ts';
import { type Call, KINDS, type Tool, type ToolContext } from './tool.ts';
import { describeToolError, isUnknown, isUnreachable } from './tool-errors.ts';
import type { ToolWords } from './tool-words.ts';

export interface Telling {
  /** Hides secrets. */
  redact: (text: string) => string;
  words: ToolWords;
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

/** Puts a tool into a server: its answers checked against its schema and the room there is, its errors as answers that say what to do. */
export function registerTool(server: McpServer, tool: Tool, context: ToolContext, telling: Telling): void {
  const { name, title, description, input, output, kind, openWorld = false } = tool;
  const { redact, words, log } = telling;
  const said = (text: string): string => redact(words.commands(text));
  const annotations = { title, ...KINDS[kind], openWorldHint: openWorld };
  server.registerTool(name, { title, description, inputSchema: input, outputSchema: output, annotations }, async (given, mcp) => {
    const startedMs = performance.now();
    const done = (fields: object) => ({ tool: name, durationMs: Math.round(performance.now() - startedMs), ...fields });
    const call = callOf(mcp, said);
    try {
      const {
        data,
        text,
        verbatim = [],
      } = await tool.run(given, call, context).catch((error: unknown) => {
        if (isUnreachable(error) && context.world.reconsider() && isUnknown(error)) return tool.run(given, call, context);
        throw error;
      });
      // What the schema does not name is left out.
      const structuredContent = output.parse(data) as Record<string, unknown>;
      // A page was cut where it is made, and has one item at least, however large that is.
      if (!('next' in output.shape)) refuseTooLong(name, structuredContent, context.world.config().mcp.maxOutputTokens);
      log.info(done({}), 'tool done');
      return { structuredContent, content: [block(said(typeof text === 'string' ? text : text.join('\n'))), ...verbatim.map(block)] };
    } catch (error) {
      if (call.signal.aborted) {
        log.info(done({ goesOn: call.comeBack }), 'tool cancelled');
        throw error;
      }
      const message = redact(words.advice(describeToolError(error)));
      log.warn(done({ error: message }), 'tool failed');
      return { isError: true, content: [{ type: 'text', text: message }] };
    }
  });
}

const block = (text: string): CallToolResult['content'][number] => ({ type: 'text', text });

/** Its progress grows with each word, as the protocol wants it: it is the number of them. */
function callOf({ mcpReq: { signal, _meta, notify } }: ServerContext, said: (text: string) => string): Call & { comeBack: string | null } {
  const progressToken = _meta?.progressToken;
  let progress = 0;
  const call: Call & { comeBack: string | null } = {
    signal,
    comeBack: null,
    progress(message) {
      if (progressToken === undefined || signal.aborted) return;
      progress += 1;
      const params = { progressToken, progress, message: said(message) };
      notify({ method: 'notifications/progress', params }).catch(() => undefined);
    },
    started(comeBack) {
      call.comeBack = comeBack;
      call.progress(comeBack);
    },
  };
  return call;
}

function refuseTooLong(name: string, data: object, maxTokens: number): void {
  const bytes = Buffer.byteLength(JSON.stringify(data));
  if (bytes <= bytesOfTokens(maxTokens)) return;
  throw new ValidationError(
    `The answer of ${name} has ${bytes} bytes, more than the ${maxTokens} tokens of four bytes that a tool may return (MCP_MAX_OUTPUT_TOKENS): ask for less`,
    { code: 'answer_too_long' },
  );
}
