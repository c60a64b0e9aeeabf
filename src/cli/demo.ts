import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { loadConfig } from '../config/index.ts';
import { sourceOf } from '../sources/named-source.ts';
import { type Stack, startStack } from '../stack/stack.ts';
import { readStatus } from '../stack/status.ts';
import type { CommandContext } from './context.ts';
import { UsageError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { runMigrate } from './migrate.ts';
import { openServices } from './services.ts';

export function registerDemo(program: Command, context: CommandContext, exit: (code: number) => void): void {
  program
    .command('demo')
    .description('start the stack on this machine if none runs, migrate a folder, report, and stop what was started')
    .argument('[folder]', 'the folder; default: the installed package typescript, which everybody has here')
    .action(async (folder: string | undefined) => exit(await runDemo(context, folder)));
}

/** @returns the exit code of the migration */
export async function runDemo(context: CommandContext, given: string | undefined): Promise<number> {
  const { output, source, signal } = context;
  const folder = given === undefined ? defaultFolder() : resolve(source.cwd, given);
  // Before a stack is started for a folder that is not there.
  await sourceOf(folder, source.cwd);
  const stack = await startUnlessRunning(context);
  output.message(`Migrating ${folder} to Supabase Storage`);
  const config = loadConfig(source);
  const services = openServices(() => config);
  try {
    const code = await runMigrate({ ...context, config: () => config, services: () => services }, folder, {
      to: 'supabase',
      purpose: 'storage',
      concurrency: 50,
      verify: 'stored',
    });
    if (code === EXIT.interrupted)
      output.message('The demo stops its stack. `npx cutover up` starts it again, and the migration goes on there.');
    else if (stack !== null && !signal.aborted)
      output.message(
        'The demo stops what it started and keeps the data. To look at it: `npx cutover up` starts all of it again, with the same links; `npx cutover list` shows the files then.',
      );
    return code;
  } finally {
    await services.close();
    await stack?.stop();
  }
}

/** Null where a stack runs already: then that one is used and left running. */
async function startUnlessRunning({ output, source, signal, config }: CommandContext): Promise<Stack | null> {
  const { stateDir } = config();
  const running = existsSync(stateDir) ? await readStatus(stateDir) : null;
  if (running?.state === 'running') return null;
  output.message(`Starting Temporal, PostgreSQL, Supabase and a worker; their data is in ${stateDir}`);
  return await startStack({ config: config(), ...source, workers: 1, log: (line) => output.message(line), signal });
}

function defaultFolder(): string {
  try {
    return dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
  } catch {
    throw new UsageError('The package typescript is not installed here: name a folder, npx cutover demo <folder>');
  }
}
