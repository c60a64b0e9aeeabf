import type { Readable, Writable } from 'node:stream';
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio';
import { createRedactor } from '../observability/redact.ts';
import type { Telling } from './register.ts';
import { openRoots } from './roots.ts';
import { createMcpServer } from './server.ts';
import { createWorld, type Opened } from './world.ts';

export interface McpOptions {
  /** Reads the configuration and connects nothing yet; throws ConfigError. */
  open: () => Opened;
  roots: readonly string[];
  cwd: string;
  /** Files and folders with secrets, which tools do not touch. */
  kept: readonly string[];
  /** Values that must not be seen: of the configuration as it is now. */
  secrets: () => readonly string[];
  by: string;
  version: string;
  log: Telling['log'] & { error(fields: object, message: string): void };
  input: Readable;
  output: Writable;
  now: () => number;
  signal: AbortSignal;
}

/** Speaks the protocol on two streams until the client closes its end or the signal comes. @throws ConfigError; ValidationError `root_not_found` */
export async function serveMcp({
  open,
  roots: given,
  cwd,
  kept,
  secrets,
  by,
  version,
  log,
  input,
  output,
  now,
  signal,
}: McpOptions): Promise<void> {
  const roots = await openRoots(given, cwd, kept);
  const world = createWorld(open);
  let known = { config: world.config(), redact: createRedactor(secrets()) };
  // A stack that was started since has keys of its own.
  const redact = (text: string): string => {
    if (known.config !== world.config()) known = { config: world.config(), redact: createRedactor(secrets()) };
    return known.redact(text);
  };
  const over = new Promise<void>((resolve) => {
    input.once('end', resolve).once('close', resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const server = serveStdio(() => createMcpServer({ world, roots, by, now }, { redact, log }, version), {
    transport: new StdioServerTransport(input, output),
    onerror: (error) => log.error({ error: redact(error.message) }, 'protocol'),
  });
  log.info({ roots: roots.folders }, 'ready');
  if (!signal.aborted) await over;
  await server.close();
  await world.close();
}
