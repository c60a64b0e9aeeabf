import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { Command } from 'commander';
import { entryPoint } from '../stack/paths.ts';
import type { CommandContext } from './context.ts';

export function registerWorker(program: Command, context: CommandContext, exit: (code: number) => void): void {
  program
    .command('worker')
    .description('run a worker in the foreground; SIGINT and SIGTERM let it finish what it holds')
    .action(async () => {
      context.config();
      exit(await runWorker(context));
    });
}

/** Runs a worker in a process of its own and hands its signals on. The exit code is the worker's. */
export async function runWorker({ source, signal }: Pick<CommandContext, 'source' | 'signal'>): Promise<number> {
  // Over the channel the worker also learns of our death, when nobody could tell it to stop.
  const child = fork(entryPoint('../../workers/main', import.meta.url), { cwd: source.cwd, env: { ...source.env } });
  const stop = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  try {
    const [code, killedBy] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    return code ?? (killedBy === 'SIGTERM' && signal.aborted ? 0 : 1);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
