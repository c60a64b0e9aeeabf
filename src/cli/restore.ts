import type { Command } from 'commander';
import { countOf, printable } from '../domain/format.ts';
import { managerOf } from '../manager/manager-of.ts';
import { restoreFile } from '../manager/restore.ts';
import type { CommandContext } from './context.ts';

export function registerRestore(program: Command, context: CommandContext): void {
  const { config } = context;
  program
    .command('restore')
    .description('take the deletion of a file back, within the grace (PURGE_GRACE_DAYS)')
    .argument('<file>', 'its id, SHA-256 or name')
    .option('--json', 'print one JSON document')
    .action(async (given: string, { json }: { json?: boolean }) => {
      const file = await (await managerOf(context)).find(given);
      const { ledger } = await context.services().stores();
      const copies = await restoreFile(file, ledger);
      const restored = copies.map(({ id, provider, purpose, providerFileId }) => ({ copyId: id, provider, purpose, providerFileId }));
      if (json === true) return await context.output.json({ fileId: file.id, restored });
      const places = [...new Set(copies.map(({ provider }) => provider))].join(', ');
      context.output.message(
        `Restored ${printable(file.originalName ?? file.id)} (${file.id}): ${countOf(copies.length, 'copy', 'copies')} at ${places}.`,
      );
      if ((await ledger.references(file.id)).length === 0)
        context.output.message(
          `Nobody holds it, and no application sees it: unless it is read, a sweep takes it again in ${config().retention.retentionDays} days. To keep it: npx cutover hold ${file.id}`,
        );
    });
}
