import type { Command } from 'commander';
import { countOf, printable } from '../domain/format.ts';
import type { FileRecord } from '../domain/models.ts';
import { chosenHolds, describeHold } from '../manager/chosen-holds.ts';
import type { Deleted } from '../manager/delete.ts';
import { managerOf } from '../manager/manager-of.ts';
import { confirmed } from './confirm.ts';
import type { CommandContext } from './context.ts';
import { collect } from './options.ts';

interface DeleteOptions {
  reference?: readonly string[];
  all?: boolean;
  purge?: boolean;
  reason: string;
  yes?: boolean;
  json?: boolean;
}

export function registerDelete(program: Command, context: CommandContext): void {
  program
    .command('delete')
    .description('give up a hold on a file; the file goes when nobody holds it any more')
    .argument('<file>', 'its id, SHA-256 or name')
    .option('--reference <id>', 'which hold to give up, where there are several; may be given more than once', collect)
    .option('--all', 'give up every hold')
    .option('--purge', 'remove the stored object at once; it cannot be restored then')
    .option('--reason <text>', 'why, for the ledger', 'deleted by hand')
    .option('--yes', 'do not ask')
    .option('--json', 'print what was deleted as one JSON document')
    .action(async (given: string, options: DeleteOptions) => await runDelete(context, given, options));
}

export async function runDelete(context: CommandContext, given: string, options: DeleteOptions): Promise<void> {
  const { output } = context;
  const manager = await managerOf(context);
  const file = await manager.find(given);
  const references = await manager.references(file);
  const which = chosenHolds(references, options, { given, file });
  if (options.yes !== true && !(await confirmed(context, question(file, which === 'all' ? references.length : which.length, options)))) {
    output.message('Nothing was deleted.');
    return;
  }
  const { reason, purge = false } = options;
  const { operationId: _, ...deleted } = await manager.delete(file, { references: which, reason, purge, signal: context.signal });
  if (options.json === true) await output.json({ fileId: file.id, ...deleted });
  else for (const line of told(file, deleted)) output.message(line);
}

const question = (file: FileRecord, holds: number, { purge }: DeleteOptions): string =>
  `Give up ${countOf(holds, 'hold')} on ${printable(file.originalName ?? file.id)} (${file.id})${purge === true ? ' and remove the stored object for good' : ''}?`;

function told(file: FileRecord, { references, copies, purged, heldBy }: Deleted): string[] {
  const lines = [`Gave up ${countOf(references, 'hold')} on ${file.id}.`];
  if (heldBy.length > 0) lines.push('The file stays, because others hold it:', ...heldBy.map((held) => `  ${describeHold(held)}`));
  else if (purged > 0) lines.push(`Removed ${countOf(purged, 'stored object')}.`);
  else if (copies > 0)
    lines.push(
      `Marked ${countOf(copies, 'copy', 'copies')} as deleted. The stored object stays until it is purged (--purge removes it at once).`,
    );
  else lines.push('It had no live copy.');
  return lines;
}
