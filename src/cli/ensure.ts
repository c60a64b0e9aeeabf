import type { Command } from 'commander';
import { printable } from '../domain/format.ts';
import type { ModelKind } from '../domain/time-limits.ts';
import type { Ensured } from '../manager/ensure.ts';
import { managerOf } from '../manager/manager-of.ts';
import type { CommandContext } from './context.ts';
import { createLateNotice } from './late.ts';
import { modelOption, toOption, wholeNumber } from './options.ts';

interface EnsureOptions {
  to: string;
  purpose?: string;
  lasting?: number;
  model?: ModelKind;
  json?: boolean;
}

const YEAR_SECONDS = 366 * 86_400;

export function registerEnsure(program: Command, context: CommandContext): void {
  program
    .command('ensure')
    .description('print an id of a file at a provider that works now; where it has expired or gone, the file is uploaded again')
    .argument('<file>', 'its id, SHA-256 or name, or what it was called before it moved or expired')
    .addOption(toOption())
    .option('--purpose <purpose>', "what it is for: a use, or a purpose of the provider's own; default: what it was there for")
    .option(
      '--lasting <seconds>',
      'how long the id must last still, where the provider drops files; default: an hour',
      wholeNumber(0, YEAR_SECONDS),
    )
    .addOption(modelOption())
    .option('--json', 'print one JSON document')
    .action(async (given: string, options: EnsureOptions) => await runEnsure(context, given, options));
}

export async function runEnsure(context: CommandContext, given: string, options: EnsureOptions): Promise<void> {
  const { to, purpose, lasting, model, json } = options;
  const manager = await managerOf(context);
  const unlessLate = createLateNotice({ config: context.config(), output: context.output, model });
  // How large it is shows on the way: most are there, and nothing is sent.
  const ensured = await unlessLate(0, () =>
    manager.ensure(given, to, {
      signal: context.signal,
      model,
      ...(purpose === undefined ? {} : { purpose }),
      ...(lasting === undefined ? {} : { marginMs: lasting * 1000 }),
    }),
  );
  if (json === true) return await context.output.json(ensured);
  await context.output.data(ensured.providerFileId);
  context.output.message(told(ensured));
}

function told({ outcome, provider, purpose, expiresAt, replaced }: Ensured): string {
  const until = expiresAt === null ? '' : `, until ${expiresAt}`;
  const old = replaced === null ? '' : ` in place of ${printable(replaced)}`;
  const what = { there: 'There already', uploaded: 'Uploaded', uploaded_again: 'Uploaded again' }[outcome];
  return `${what} at ${provider} for ${purpose}${old}${until}.`;
}
