import type { Command } from 'commander';
import { ConfigError, type InForce } from '../config/index.ts';
import { printable } from '../domain/format.ts';
import type { CommandContext } from './context.ts';
import { EXIT } from './exit-codes.ts';

export function registerConfig(program: Command, context: CommandContext, exit: (code: number) => void): void {
  program
    .command('config')
    .description('print the configuration in force and where each value came from; secrets are masked')
    .option('--check', 'print nothing when all is well; exit 2 on a problem')
    .option('--json', 'print one JSON document')
    .action(async ({ check, json }: { check?: boolean; json?: boolean }) => {
      try {
        const config = context.config();
        if (check === true) {
          if (json === true) await context.output.json({ ok: true, problems: [], warnings: config.warnings });
          else context.output.message('The configuration is valid.');
        } else if (json === true) await context.output.json({ variables: config.inForce, warnings: config.warnings });
        else await print(context, config.inForce);
      } catch (error) {
        if (!(error instanceof ConfigError && json === true)) throw error;
        await context.output.json({ ok: false, problems: error.problems });
        exit(EXIT.usage);
      }
    });
}

async function print({ output }: CommandContext, variables: readonly InForce[]): Promise<void> {
  const width = Math.max(...variables.map(({ name }) => name.length));
  let section = '';
  for (const variable of variables) {
    if (variable.section !== section) {
      await output.data(`${section === '' ? '' : '\n'}${output.style('bold', variable.section, output.stdout)}`);
      section = variable.section;
    }
    const from = variable.where === null ? variable.origin : `${variable.origin}: ${variable.where}`;
    await output.data(
      `  ${variable.name.padEnd(width)}  ${printable(variable.value) || '(not set)'}  ${output.style('dim', `[${from}]`, output.stdout)}`,
    );
  }
}
