import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';

/** A storage that is reached by way of another MCP server: which server, and how its tools are called and understood. */

/** What of a file can be handed to a tool; each stands for a whole argument. */
const PLACEHOLDERS = ['name', 'base64', 'mimeType', 'sizeBytes', 'sha256', 'id', 'cursor'] as const;
export type Placeholder = (typeof PLACEHOLDERS)[number];

const REFERENCE = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;
const SECRET_NAME = /authorization|cookie|key|token|secret|password/i;

const secretByReference = z
  .record(z.string(), z.string())
  .superRefine((values, context) => {
    for (const [name, value] of Object.entries(values))
      if (SECRET_NAME.test(name) && value.search(REFERENCE) < 0)
        context.addIssue({
          code: 'custom',
          path: [name],
          message: 'looks like a secret: refer to a variable of the environment instead, as config/mcp_config.example.json does',
        });
  })
  .default({});

const Server = z.union([
  z.strictObject({
    command: z.string().min(1),
    args: z.array(z.string()).default([]),
    env: secretByReference,
    cwd: z.string().min(1).optional(),
  }),
  z.strictObject({ url: z.url({ protocol: /^https?$/ }), headers: secretByReference }),
]);

const calling = (...needed: readonly Placeholder[]) => ({
  name: z.string().min(1),
  arguments: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).superRefine((given, context) => {
    for (const one of needed)
      if (!Object.values(given).includes(`{${one}}`)) context.addIssue({ code: 'custom', message: `must hand on "{${one}}"` });
    for (const value of Object.values(given)) {
      const [, unknown] = /^\{(\w+)\}$/.exec(String(value)) ?? [];
      if (unknown !== undefined && !(PLACEHOLDERS as readonly string[]).includes(unknown))
        context.addIssue({ code: 'custom', message: `there is no {${unknown}}; there are: ${PLACEHOLDERS.join(', ')}` });
    }
  }),
});
/** Where in a tool's answer something stands: names with dots between them. */
const place = (otherwise: string) => z.string().default(otherwise);
const object = { object: z.string().nullable().default(null) };

const Storage = z.strictObject({
  server: Server,
  /** What tells this account from others in the ledger; else the server's address and how it is started. */
  account: z.string().min(1).max(200).optional(),
  /** The bytes of a file go in one message, as base64, and are in memory several times. Many servers take messages of 4 MiB at most. */
  maxFileMb: z.number().positive().max(64).default(2),
  /** By which words an error says that there is no such file. */
  notFound: z.string().min(1).default('not found'),
  fields: z
    .strictObject({
      ...{ id: place('id'), sizeBytes: place('size'), name: place('name'), mimeType: place('mimeType') },
      ...{ createdAt: place('createdAt'), sha256: place('sha256') },
    })
    .prefault({}),
  tools: z.strictObject({
    upload: z.strictObject({ ...calling('name', 'base64'), ...object }),
    info: z.strictObject({ ...calling('id'), ...object }),
    delete: z.strictObject(calling('id')),
    list: z.strictObject({ ...calling(), objects: place('files'), next: place('nextCursor') }),
    download: z
      .strictObject({
        ...calling('id'),
        content: z.union([z.literal('resource'), z.strictObject({ base64: z.string().min(1) })]).default('resource'),
      })
      .nullable()
      .default(null),
  }),
});
export interface McpStorage extends z.infer<typeof Storage> {
  /** The variables that the file refers to, and what they hold: secrets. */
  variables: Readonly<Record<string, string>>;
}

const McpConfigFile = z.strictObject({ storage: Storage });

export type StorageFound = { storage: McpStorage | null } | { fault: string };

/** The variables that a file refers to: whatever they hold is a secret. Empty where it cannot be read. */
export function referencedVariables(path: string): string[] {
  try {
    return [...readFileSync(path, 'utf8').matchAll(REFERENCE)].map(([, name = '']) => name);
  } catch {
    return [];
  }
}

/**
 * Reads the file, with each `${NAME}` replaced by what the variable holds.
 * @param required whether it is a fault that there is no such file
 */
export function readMcpStorage(path: string, required: boolean, lookup: (name: string) => string | undefined): StorageFound {
  if (!existsSync(path)) return required ? { fault: 'there is no such file: copy config/mcp_config.example.json' } : { storage: null };
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return { fault: 'is no JSON that can be read' };
  }
  const parsed = McpConfigFile.safeParse(json);
  if (!parsed.success) return { fault: parsed.error.issues.map(({ path: at, message }) => `${at.join('.')}: ${message}`).join('; ') };
  const variables = Object.fromEntries(referencedVariables(path).map((name) => [name, lookup(name) ?? '']));
  const missing = Object.keys(variables).filter((name) => variables[name] === '');
  if (missing.length > 0) return { fault: `refers to ${missing.join(', ')}, which is not set` };
  return { storage: { ...resolved(parsed.data.storage, variables), variables } };
}

/** Where its server is, with what the variables hold taken out again: an address may have a key in it. */
export function addressShown({ server, variables }: Pick<McpStorage, 'server' | 'variables'>): string {
  const held = Object.entries(variables).sort(([, a], [, b]) => b.length - a.length);
  return held.reduce((text, [name, value]) => text.replaceAll(value, () => `\${${name}}`), 'url' in server ? server.url : server.command);
}

function resolved<T>(value: T, variables: Readonly<Record<string, string>>): T {
  if (typeof value === 'string') return value.replace(REFERENCE, (_, name: string) => variables[name] ?? '') as T;
  if (Array.isArray(value)) return value.map((each) => resolved(each, variables)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, resolved(inner, variables)])) as T;
}
