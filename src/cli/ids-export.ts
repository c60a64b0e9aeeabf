import { resolve } from 'node:path';
import { countOf } from '../domain/format.ts';
import { newIdOf, oldValues } from '../domain/id-map.ts';
import { checkIdColumn, type IdChange, type IdColumn, reverseScript, updateScript } from '../domain/id-map-sql.ts';
import { csvRecord } from '../domain/report-format.ts';
import type { IdMapping, Ledger } from '../ledger/ledger.ts';
import type { CommandContext } from './context.ts';
import { UsageError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { checkWritable, writeWholeFile } from './whole-file.ts';

export interface ExportOptions {
  migration?: string;
  format: 'csv' | 'jsonl' | 'sql';
  table?: string;
  column?: string;
  key?: string;
  new?: string;
  oldPrefix?: string;
  reverse?: boolean;
  output?: string;
}

const PAGE = 1000;
const COLUMNS = [
  ...['oldId', 'fileId', 'provider', 'providerFileId', 'sha256', 'sizeBytes', 'migrationId', 'sourceProvider', 'path', 'recordedAt'],
] as readonly (keyof IdMapping)[];
const EXPORT = { what: 'export', code: 'export_not_writable' };

/** The id map in the ledger, page by page. */
export async function* allMappings(ledger: Pick<Ledger, 'idMap'>, migrationId?: string): AsyncGenerator<IdMapping> {
  for (let after: string | null = null; ; ) {
    const page: (IdMapping & { cursor: string })[] = await ledger.idMap({
      after,
      limit: PAGE,
      ...(migrationId === undefined ? {} : { migrationId }),
    });
    for (const { cursor: _, ...mapping } of page) yield mapping;
    if (page.length < PAGE) return;
    after = page.at(-1)?.cursor ?? null;
  }
}

/** @returns the exit code: 1 where something that moved has no id that works now */
export async function exportIds(context: CommandContext, options: ExportOptions): Promise<number> {
  const target = options.output === undefined || options.output === '-' ? null : resolve(context.source.cwd, options.output);
  if (target !== null) await checkWritable(target, EXPORT);
  const counts = { mapped: 0, lost: 0 };
  const pieces = await piecesOf(context, options, counts);
  if (target !== null) await writeWholeFile(target, pieces, EXPORT);
  else for await (const piece of pieces) await context.output.write(piece);
  if (options.reverse === true) return EXIT.ok;
  const { output } = context;
  if (counts.mapped + counts.lost === 0)
    output.warning(
      options.migration === undefined
        ? 'The ledger knows of no file that moved. Move some with: npx cutover migrate <folder>'
        : `The ledger knows of no file that moved in migration ${options.migration}. See them with: npx cutover migrate list`,
    );
  else output.message(`${countOf(counts.mapped, 'old id')} with an id that works now${target === null ? '' : `: ${target}`}`);
  if (counts.lost === 0) return EXIT.ok;
  output.warning(
    `${countOf(counts.lost, 'old id has', 'old ids have')} none: the copy is gone or has expired. npx cutover ready names some; npx cutover ensure <file> --to <provider> sends one again.`,
  );
  return EXIT.failed;
}

async function piecesOf(
  context: CommandContext,
  options: ExportOptions,
  counts: { mapped: number; lost: number },
): Promise<AsyncIterable<string>> {
  const where = columnOf(options);
  const newId = newIdOf(options.new ?? 'provider-id');
  if (where !== null) checkIdColumn(where);
  if (where !== null && options.reverse === true) return once(reverseScript(where));

  const { ledger } = await context.services().stores();
  async function* counted(): AsyncGenerator<[IdMapping, string | null]> {
    for await (const mapping of allMappings(ledger, options.migration)) {
      context.signal.throwIfAborted();
      const id = newId(mapping);
      counts[id === null ? 'lost' : 'mapped'] += 1;
      yield [mapping, id];
    }
  }
  if (where === null) return options.format === 'csv' ? csv(counted()) : jsonLines(counted());
  const prefix = options.oldPrefix ?? '';
  return updateScript(where, changes(counted(), prefix), { label: options.migration ?? '', prefix });
}

/** Null for the formats that name no column. @throws UsageError */
function columnOf({ format, table, column, key, ...options }: ExportOptions): IdColumn | null {
  if (format === 'sql') {
    if (table === undefined || column === undefined || key === undefined)
      throw new UsageError(
        '--format sql writes into a column of yours: name it with --table, --column and --key (the column that tells rows apart)',
      );
    return { table, column, key };
  }
  const { new: newId, oldPrefix, reverse } = options;
  for (const [flag, given] of Object.entries({ table, column, key, new: newId, 'old-prefix': oldPrefix, reverse }))
    if (given !== undefined) throw new UsageError(`--${flag} goes with --format sql: add it, or leave --${flag} out`);
  return null;
}

async function* once(text: string): AsyncGenerator<string> {
  yield text;
}

async function* csv(mappings: AsyncIterable<[IdMapping, string | null]>): AsyncGenerator<string> {
  yield csvRecord(COLUMNS);
  for await (const [mapping] of mappings) yield csvRecord(COLUMNS.map((column) => mapping[column]));
}

async function* jsonLines(mappings: AsyncIterable<[IdMapping, string | null]>): AsyncGenerator<string> {
  for await (const [mapping] of mappings) yield `${JSON.stringify(mapping)}\n`;
}

async function* changes(mappings: AsyncIterable<[IdMapping, string | null]>, prefix: string): AsyncGenerator<IdChange> {
  for await (const [{ oldId, recordedAt }, id] of mappings)
    if (id !== null) for (const [rank, old] of oldValues(oldId, prefix).entries()) yield { old, new: id, rank, at: recordedAt };
}
