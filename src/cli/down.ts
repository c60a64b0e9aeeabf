import type { Command } from 'commander';
import { cleanUpIfLeft } from '../stack/clean-up.ts';
import { stopRunning } from '../stack/status.ts';
import type { CommandContext } from './context.ts';
import { EXIT } from './exit-codes.ts';

export interface DownOptions {
  json?: boolean;
}

export function registerDown(program: Command, context: CommandContext, exit: (code: number) => void): void {
  program
    .command('down')
    .description('stop the stack that runs in this folder, in order; the data is kept')
    .option('--json', 'print one line of JSON')
    .action(async (options: DownOptions) => exit(await runDown(context, options)));
}

/** Stops a running stack and waits for it. That none runs is no failure. @returns the exit code. @throws StackError */
export async function runDown({ config, output }: CommandContext, options: DownOptions): Promise<number> {
  const { stateDir } = config();
  const stopped = await stopRunning(stateDir);
  const left = stopped === null ? await cleanUpIfLeft(stateDir) : [];
  if (options.json === true) await output.json({ stateDir, stopped: stopped !== null, pid: stopped?.pid ?? null, leftovers: left });
  else
    output.message(stopped === null ? `No stack runs in ${stateDir}.` : `Stopped (pid ${stopped.pid}). The data in ${stateDir} is kept.`);
  return EXIT.ok;
}
