import type { Command } from 'commander';
import type { Check } from '../stack/check.ts';
import { checkMachine } from '../stack/checks.ts';
import type { CommandContext } from './context.ts';
import { EXIT } from './exit-codes.ts';

export interface DoctorOptions {
  json?: boolean;
}

export function registerDoctor(program: Command, context: CommandContext, exit: (code: number) => void): void {
  program
    .command('doctor')
    .description('tell what is there, what is missing and how to get it; changes nothing')
    .option('--json', 'print one JSON document')
    .action(async (options: DoctorOptions) => exit(await runDoctor(context, options)));
}

const MARKS = { ok: ['green', '✓'], warning: ['yellow', '–'], failed: ['red', '✗'] } as const;

/** @returns 1 when something is missing that is needed */
export async function runDoctor({ config: load, output, source }: CommandContext, options: DoctorOptions): Promise<number> {
  const config = load();
  const { checkSupabase, checkTemporal } = await import('./doctor-servers.ts');
  const { checkRetention } = await import('./doctor-retention.ts');
  const parts = await Promise.all([checkMachine(config, source.env), checkTemporal(config), checkSupabase(config), checkRetention(config)]);
  const checks = parts.flat();
  const healthy = checks.every(({ status }) => status !== 'failed');
  if (options.json === true) await output.json({ ok: healthy, checks });
  else for (const check of checks) await print(output, check);
  return healthy ? EXIT.ok : EXIT.failed;
}

async function print(output: CommandContext['output'], { name, status, found, todo }: Check): Promise<void> {
  const [color, mark] = MARKS[status];
  await output.data(`${output.style(color, mark, output.stdout)} ${name.padEnd(18)} ${found}`);
  if (todo !== null) await output.data(`  ${''.padEnd(18)} → ${todo}`);
}
