import type { Command } from 'commander';
import { formatBytes } from '../domain/format.ts';
import type { FileListing } from '../ledger/ledger.ts';
import { managerOf } from '../manager/manager-of.ts';
import type { CommandContext } from './context.ts';
import { wholeNumber } from './options.ts';

const SCREEN = 200;

export function registerList(program: Command, context: CommandContext): void {
  const { output } = context;
  program
    .command('list')
    .description('list the files of the ledger that have a live copy')
    .option('--limit <n>', 'how many at most', wholeNumber(1, 1_000_000_000))
    .option('--json', 'print a JSON document for each file')
    .action(async ({ limit, json }: { limit?: number; json?: boolean }) => {
      const manager = await managerOf(context);
      let rows: string[][] = [];
      let shown = 0;
      const flush = async () => {
        if (rows.length > 0) await output.table(['ID', 'SIZE', 'SHA-256', 'HELD BY', 'AT', 'NAMES'], rows);
        rows = [];
      };
      for await (const file of manager.list(limit === undefined ? {} : { limit })) {
        context.signal.throwIfAborted();
        shown += 1;
        if (json === true) await output.json(file);
        else rows.push(row(file));
        if (rows.length >= SCREEN) await flush();
      }
      await flush();
      if (shown === 0) output.message('The ledger has no files yet. Move some with: npx cutover migrate <folder>');
    });
}

function row({ id, sizeBytes, sha256, references, copies, names, originalName }: FileListing): string[] {
  const shown = names.length > 0 ? names : originalName === null ? [] : [originalName];
  const more = shown.length > 2 ? ` (+${shown.length - 2})` : '';
  return [
    id,
    sizeBytes === null ? '?' : formatBytes(sizeBytes),
    sha256?.slice(0, 12) ?? '?',
    String(references),
    copies.map(({ provider, status }) => (status === 'completed' ? provider : `${provider} (${status})`)).join(', '),
    `${shown.slice(0, 2).join(', ')}${more}`,
  ];
}
