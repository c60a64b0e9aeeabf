import { ValidationError } from '../domain/errors.ts';
import { find, type Layer } from './layers.ts';
import { list } from './parsers.ts';

/** The tools that ship. Each is a named place in the application from which files are uploaded; more can be configured. */
export const TOOLS = ['kimi', 'smart_handler', 'supabase'] as const;

/** The name of one that ships or that CUTOVER_TOOLS adds. */
export type Tool = string;

export interface ToolSettings {
  enabled: boolean;
  /** In per cent, where no rollout was ever started. */
  share: number;
  /** The variable that turns it on. */
  switch: string;
}

export const switchVariable = (tool: Tool): string => `ENABLE_${tool.toUpperCase()}_MIGRATION`;
export const rolloutVariable = (tool: Tool): string => `${tool.toUpperCase()}_ROLLOUT_PERCENTAGE`;

/** The tool whose switch or share a variable would be; null for any other name. */
export function toolOfVariable(variable: string): Tool | null {
  const [, ofSwitch, ofShare] = /^(?:ENABLE_([A-Z][A-Z0-9_]*)_MIGRATION|([A-Z][A-Z0-9_]*)_ROLLOUT_PERCENTAGE)$/.exec(variable) ?? [];
  return (ofSwitch ?? ofShare)?.toLowerCase() ?? null;
}

export const furtherTools = () =>
  list('names of tools separated by commas, each of a-z, 0-9 and _ and with a letter first', /^[a-z][a-z0-9_]*$/);

/** Those that ship and those of CUTOVER_TOOLS: they are known before the other variables are, because some are named for them. */
export function configuredTools(layers: readonly Layer[]): readonly Tool[] {
  const further = furtherTools().safeParse(find(layers, 'CUTOVER_TOOLS', null)?.value ?? '');
  return [...new Set([...TOOLS, ...(further.data ?? [])])];
}

/** @throws ValidationError `unknown_tool`, which lists those there are */
export function settingsOfTool({ tools }: { tools: Readonly<Record<Tool, ToolSettings>> }, tool: Tool): ToolSettings {
  const settings = Object.hasOwn(tools, tool) ? tools[tool] : undefined;
  if (settings !== undefined) return settings;
  throw new ValidationError(
    `There is no tool ${JSON.stringify(tool)}; there are: ${Object.keys(tools).join(', ')}. CUTOVER_TOOLS adds others`,
    { code: 'unknown_tool' },
  );
}
