import { resolve } from 'node:path';
import type { z } from 'zod';
import { find } from './layers.ts';
import { type ConfigSource, concerns, readLayers } from './load.ts';
import { MCP_CONFIG_FILE } from './mcp.ts';
import { referencedVariables } from './mcp-storage.ts';
import { infoOf } from './setting.ts';

/**
 * The values of all secret variables in every layer, also of those that are not in force: for whoever must hide them. Reads a
 * configuration that is wrong as well, because its errors are logged.
 */
export function secretValues(source: ConfigSource): string[] {
  const layers = readLayers(source, []);
  const values = new Set<string>();
  const file = resolve(source.cwd, find(layers, 'MCP_CONFIG', null)?.value || MCP_CONFIG_FILE);
  for (const name of referencedVariables(file)) for (const layer of layers) values.add(layer.values[name]?.trim() ?? '');
  for (const { variables } of Object.values(concerns(source)))
    for (const [name, schema] of Object.entries(variables.shape)) {
      const { secret, alias } = infoOf(schema as z.ZodType);
      if (!secret) continue;
      for (const layer of layers) for (const known of [name, alias]) values.add((known === null ? '' : layer.values[known])?.trim() ?? '');
    }
  values.delete('');
  return [...values];
}
