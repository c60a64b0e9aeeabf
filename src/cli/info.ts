import type { Command } from 'commander';
import { countOf, formatBytes, printable } from '../domain/format.ts';
import { isLive } from '../manager/file-manager.ts';
import { managerOf } from '../manager/manager-of.ts';
import type { CommandContext } from './context.ts';

export function registerInfo(program: Command, context: CommandContext): void {
  const { output } = context;
  program
    .command('info')
    .description('show what the ledger and the providers know of a file')
    .argument('<file>', 'its id, SHA-256 or name')
    .option('--json', 'print one JSON document')
    .action(async (given: string, { json }: { json?: boolean }) => {
      const manager = await managerOf(context);
      const { operationId: _, ...file } = await manager.info(given, { signal: context.signal });
      if (json === true) return await output.json(file);
      const facts: [string, string | null][] = [
        ['id', file.id],
        ['SHA-256', file.sha256],
        ['size', file.sizeBytes === null ? null : `${formatBytes(file.sizeBytes)} (${countOf(file.sizeBytes, 'byte')})`],
        ['type', file.mimeType],
        ['name', file.originalName],
        ['created', file.createdAt],
        ['last read', file.accessedAt],
      ];
      for (const [label, value] of facts) if (value !== null) await output.data(`${label.padEnd(10)} ${printable(value)}`);
      for (const copy of file.copies) {
        const { provider: at, providerFileId, status, deletedAt, deletionReason, purgedAt, legalHold, object } = copy;
        const fate =
          deletedAt === null ? status : `deleted ${deletedAt}${deletionReason === null ? '' : ` (${printable(deletionReason)})`}`;
        const lost = isLive(copy) && object === null ? ', but the object is missing there' : '';
        await output.data(
          `copy       ${at}: ${printable(providerFileId ?? '-')}, ${fate}${lost}${purgedAt === null ? '' : `, object removed ${purgedAt}`}${legalHold ? ', on hold' : ''}`,
        );
      }
      for (const { name, tool, userId, purpose, keep, tags, uploadId } of file.references) {
        const user = userId === null ? '' : `, user ${printable(userId)}`;
        const marks = tags.length === 0 ? '' : `, ${printable(tags.join(' '))}`;
        const known = uploadId == null ? '' : `, known as ${uploadId}`;
        await output.data(`held by    ${tool}${user} as ${printable(name)} (${purpose}, ${keep}${marks})${known}`);
      }
    });
}
