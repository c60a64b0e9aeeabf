import { join } from 'node:path';
import type { Command } from 'commander';
import { loadConfig, secretValues } from '../config/index.ts';
import { createLogger } from '../observability/logger.ts';
import type { CommandContext } from './context.ts';
import { collect } from './options.ts';
import { openServices } from './services.ts';
import { userName } from './user-name.ts';
import { version } from './version.ts';

const HELP = `
Standard output carries the protocol and nothing else; the log goes to standard error. A client starts it by itself: give it the command
npx, the arguments cutover and mcp, and the folder with your .env as working folder. Tools read and write files below --root alone, links
followed, and never .env or the state folder.`;

export function registerMcp(program: Command, context: CommandContext): void {
  program
    .command('mcp')
    .description('speak the Model Context Protocol on standard input and output: the same operations as tools for a model')
    .option('--root <folder>', 'a folder whose files tools may read and write; may be given more than once; default: this one', collect)
    .addHelpText('after', HELP)
    .action(async ({ root = [] }: { root?: readonly string[] }) => await runMcp(context, root));
}

async function runMcp({ config, source, output, input, signal, now }: CommandContext, roots: readonly string[]): Promise<void> {
  const { log: settings, stateDir, mcp } = config();
  const { serveMcp } = await import('../mcp/serve.ts');
  const secrets = () => secretValues(source);
  const log = createLogger('mcp', settings.level, { terminal: output.stderr.isTTY === true, color: settings.color, secrets: secrets() });
  if (input.isTTY === true) output.message('This waits for an MCP client on standard input: give it to one as a command. Ctrl-C ends it.');
  await serveMcp({
    open() {
      const now = loadConfig(source);
      return { config: now, services: openServices(() => now) };
    },
    ...{ roots, cwd: source.cwd, secrets, by: `${userName()} via MCP` },
    // Whoever writes the last one chooses a program that this server and the workers start.
    ...{ kept: [stateDir, join(source.cwd, '.env'), mcp.file], version: version(), log, input, output: output.stdout, now, signal },
  });
}
