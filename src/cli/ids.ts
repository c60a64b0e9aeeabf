import { type Command, Option } from 'commander';
import { printable } from '../domain/format.ts';
import { oldIdsOf } from '../domain/id-map.ts';
import type { IdMapping } from '../ledger/ledger.ts';
import type { CommandContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { type ExportOptions, exportIds } from './ids-export.ts';
import { migrationId } from './options.ts';

const EXPORT_HELP = `
With --format sql it prints a script for your own PostgreSQL: one transaction that writes the new ids over the old ones in a column.
Run it with psql -v ON_ERROR_STOP=1 -f ids.sql. Names of tables and columns are spelled as in the database; one with blanks, dashes
or dots goes in double quotes. Each row that changes is noted in the table cutover_undo_<table>_<column>, beside yours, and the
script of --reverse puts the old values back where the value is still the new one. Run twice, a script changes what it did once.

  npx cutover ids export -o ids.csv
  npx cutover ids export --format sql --table app.documents --column file_path --key id -o ids.sql
  npx cutover ids export --format sql --table documents --column url --key id \\
    --old-prefix https://old.example.com/files/ --new 'https://new.example.com/{provider-id}' -o ids.sql
  npx cutover ids export --format sql --table documents --column url --key id --reverse -o back.sql`;

/** `ids export|resolve`. */
export function registerIds(program: Command, context: CommandContext, exit: (code: number) => void): void {
  const ids = program.command('ids').description('the id map: what files that moved were called before, and what they are called now');

  ids
    .command('export')
    .description('write the id map, or a script that puts the new ids into a column of your database')
    .option('--migration <id>', 'only what this migration moved; default: all, and the newest counts', migrationId)
    .addOption(new Option('--format <format>', 'of what is written').choices(['csv', 'jsonl', 'sql']).default('csv'))
    .option('--table <name>', 'sql: the table, with its schema where it has another than public')
    .option('--column <name>', 'sql: the column that holds the old ids')
    .option('--key <name>', 'sql: the column that tells the rows apart')
    .option(
      '--new <what>',
      'sql: what is written: provider-id (default), file-id, or a URL with {provider-id}, {file-id}, {provider} or {sha256}',
    )
    .option('--old-prefix <text>', 'sql: what stands before the old id in the column; after that of a URL ids may be escaped')
    .option('--reverse', 'sql: the script that takes it back')
    .option('-o, --output <file>', 'a file, or - for standard output', '-')
    .addHelpText('after', EXPORT_HELP)
    .action(async (options: ExportOptions) => exit(await exportIds(context, options)));

  ids
    .command('resolve')
    .description('say what old ids are now: paths of a folder, ids at a provider')
    .argument('<old-id...>')
    .option('--old-prefix <text>', 'what stands before the ids; it is taken off')
    .option('--json', 'print a JSON document for each')
    .action(async (given: string[], options: { oldPrefix?: string; json?: boolean }) => exit(await resolveIds(context, given, options)));
}

/** @returns the exit code: 1 where one of them is unknown or leads nowhere now */
async function resolveIds(
  { services, output, signal }: CommandContext,
  given: readonly string[],
  { oldPrefix = '', json = false }: { oldPrefix?: string; json?: boolean },
): Promise<number> {
  const { ledger } = await services().stores();
  const rows: string[][] = [];
  let lost = 0;
  for (const oldId of given) {
    signal.throwIfAborted();
    let found: IdMapping | null = null;
    for (const meant of oldIdsOf(oldId, oldPrefix)) found ??= await ledger.resolveId(meant);
    if (json) await output.json(found === null ? { oldId, found: false } : { ...found, oldId, found: true });
    else if (found !== null) rows.push([found.fileId, found.provider ?? '?', found.providerFileId ?? '-', oldId]);
    if (found?.providerFileId != null) continue;
    lost += 1;
    output.message(
      found === null
        ? `No migration has moved ${printable(oldId)}. See what moved with: npx cutover ids export`
        : `${printable(oldId)} moved to ${found.provider ?? 'a provider'}, and its copy is gone or has expired: npx cutover ensure ${found.fileId} --to ${found.provider ?? '<provider>'}`,
    );
  }
  if (rows.length > 0) await output.table(['FILE', 'PROVIDER', 'NEW ID', 'OLD ID'], rows);
  return lost === 0 ? EXIT.ok : EXIT.failed;
}
