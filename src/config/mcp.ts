import { z } from 'zod';
import { integer } from './parsers.ts';
import { setting } from './setting.ts';

const MIB = 1024 * 1024;

/** What one call of the MCP side may take into a model's context. Both bound text; a file itself is not cut, but left where it is. */
export function mcpSchema() {
  const variables = z.object({
    MCP_MAX_PROMPT_BYTES: setting(integer({ min: 0, max: 16 * MIB }), {
      about: 'Text (bytes) that is inlined into a prompt, all files of a call together; more is refused and left to an upload',
      default: 262_144,
    }),
    MCP_MAX_OUTPUT_TOKENS: setting(integer({ min: 100, max: 1_000_000 }), {
      about: 'Tokens that a tool may return, four bytes counted as one; lists are cut there and say how to go on',
      default: 25_000,
    }),
  });
  const schema = variables.transform((v) => ({ maxPromptBytes: v.MCP_MAX_PROMPT_BYTES, maxOutputTokens: v.MCP_MAX_OUTPUT_TOKENS }));
  return { title: 'MCP', variables, schema };
}
