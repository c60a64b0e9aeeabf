import type { Command } from 'commander';
import { countOf, printable } from '../domain/format.ts';
import { holdFile } from '../manager/hold.ts';
import { managerOf } from '../manager/manager-of.ts';
import type { CommandContext } from './context.ts';
import { userName } from './user-name.ts';

interface HoldOptions {
  release?: boolean;
  reason?: string;
  json?: boolean;
}

export function registerHold(program: Command, context: CommandContext): void {
  program
    .command('hold')
    .description('put a file on legal hold: nothing deletes or purges it until the hold is released')
    .argument('<file>', 'its id, SHA-256 or name')
    .option('--release', 'take the hold off')
    .option('--reason <text>', 'why, for the audit')
    .option('--json', 'print one JSON document, with all that was done about holds of this file')
    .action(async (given: string, options: HoldOptions) => await runHold(context, given, options));
}

export async function runHold(context: CommandContext, given: string, { release = false, reason, json }: HoldOptions): Promise<void> {
  const { output } = context;
  const file = await (await managerOf(context)).find(given);
  const { retention } = await context.services().stores();
  const held = await holdFile(file, { hold: !release, reason: reason ?? null, by: userName() }, retention);
  if (json === true) return await output.json(held);
  const { copies, purging } = held;
  const name = `${printable(file.originalName ?? file.id)} (${file.id})`;
  output.message(
    release
      ? `Released: ${name} may be deleted and purged again.`
      : `On hold: ${name}, ${countOf(copies, 'copy', 'copies')}. Nothing deletes it until \`npx cutover hold ${file.id} --release\`.`,
  );
  if (!release && purging > 0)
    output.warning(
      `${countOf(purging, 'object')} of it ${purging === 1 ? 'is' : 'are'} being deleted at this moment, which cannot be stopped.`,
    );
}
