import { resolve } from 'node:path';
import { z } from 'zod';
import { readMcpStorage } from './mcp-storage.ts';
import { integer, path } from './parsers.ts';
import { setting } from './setting.ts';

const MIB = 1024 * 1024;
/** Where it is looked for when nobody says. */
export const MCP_CONFIG_FILE = 'config/mcp_config.json';

/**
 * What one call of the MCP side may take into a model's context (both bound text; a file itself is not cut, but left where it is), and the
 * storage that is reached by way of another MCP server.
 * @param lookup what a variable holds that the file refers to
 */
export function mcpSchema(cwd: string, lookup: (name: string) => string | undefined) {
  const variables = z.object({
    MCP_MAX_PROMPT_BYTES: setting(integer({ min: 0, max: 16 * MIB }), {
      about: 'Text (bytes) that is inlined into a prompt, all files of a call together; more is refused and left to an upload',
      default: 262_144,
    }),
    MCP_MAX_OUTPUT_TOKENS: setting(integer({ min: 100, max: 1_000_000 }), {
      about: 'Tokens that a tool may return, four bytes counted as one; lists are cut there and say how to go on',
      default: 25_000,
    }),
    MCP_CONFIG: setting(path(cwd), {
      about:
        'File that sets up a storage behind another MCP server, as config/mcp_config.example.json does; it refers to secrets by the names of their variables',
      default: null,
      shown: MCP_CONFIG_FILE,
    }),
  });
  const schema = variables.transform((v, context) => {
    const usual = resolve(cwd, MCP_CONFIG_FILE);
    const file = v.MCP_CONFIG ?? usual;
    const found = readMcpStorage(file, file !== usual, lookup);
    if ('fault' in found) context.addIssue({ code: 'custom', path: ['MCP_CONFIG'], message: `(${file}) ${found.fault}` });
    return {
      maxPromptBytes: v.MCP_MAX_PROMPT_BYTES,
      maxOutputTokens: v.MCP_MAX_OUTPUT_TOKENS,
      /** Where a storage is set up, whether or not the file is there. */
      file,
      /** Null: none is set up. */
      storage: 'storage' in found ? found.storage : null,
    };
  });
  return { title: 'MCP', variables, schema };
}
