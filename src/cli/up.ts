import { setTimeout as delay } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { startStack } from '../stack/stack.ts';
import { aborted } from './aborted.ts';
import { announce, type UpOptions } from './announce.ts';
import type { CommandContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { startDetached } from './up-detached.ts';

export function registerUp(program: Command, context: CommandContext, exit: (code: number) => void): void {
  program
    .command('up')
    .description('start Temporal, its UI, Supabase and workers on this machine, and run until Ctrl-C')
    .option('--workers <n>', 'worker processes', workerCount, 1)
    .option('--detach', 'start in the background, and return when everything is ready')
    .option('--json', 'print one line of JSON when everything is ready')
    .action(async (options: UpOptions) => exit(await runUp(context, options)));
}

/** Runs the stack until it is interrupted or fails. @returns the exit code. @throws StackError when it cannot be started */
export async function runUp(context: CommandContext, options: UpOptions): Promise<number> {
  const { output, source, signal } = context;
  const config = context.config();
  if (options.detach === true) return startDetached(context, options);
  leaveOnSecondInterrupt(context);
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => {});
  output.message(`Starting the stack in ${config.stateDir}`);
  const stack = await startStack({
    config,
    ...source,
    workers: options.workers,
    log: (line) => output.message(line),
    signal,
    onFailure: reject,
  });
  try {
    await announce(
      context,
      {
        pid: process.pid,
        stateDir: stack.stateDir,
        temporalAddress: stack.temporal.address,
        temporalUiUrl: stack.temporal.uiUrl,
        supabaseUrl: stack.supabase.url,
        services: stack.processes(),
      },
      options,
    );
    await Promise.race([failed, aborted(signal)]);
  } finally {
    if (signal.aborted) output.message('Stopping…');
    await stack.stop();
  }
  output.message('Stopped. The data is kept.');
  return EXIT.ok;
}

/** A program that started us hands its Ctrl-C on, and the terminal sends it too. */
const SAME_KEYSTROKE_MS = 500;

/** Whoever presses Ctrl-C twice does not want to wait: the helper that stops what a killed stack leaves does the rest. */
function leaveOnSecondInterrupt({ signal, output }: CommandContext): void {
  signal.addEventListener(
    'abort',
    async () => {
      await delay(SAME_KEYSTROKE_MS, null, { ref: false });
      process.once('SIGINT', () => {
        output.message('Left at once; what still runs is being stopped.');
        process.exit(EXIT.interrupted);
      });
    },
    { once: true },
  );
}

function workerCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count > 64) throw new InvalidArgumentError('It must be a whole number from 0 to 64.');
  return count;
}
