import { extname } from 'node:path';
import { ValidationError } from '../domain/errors.ts';
import type { MigrationItem } from '../domain/models.ts';
import { csvHeader, csvLine } from '../domain/report-format.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { checkWritable, writeWholeFile } from './whole-file.ts';

const PAGE = 1000;
const REPORT = { what: 'report', code: 'report_not_writable' };

interface ReportFormat {
  head: string;
  item(item: MigrationItem, first: boolean): string;
  tail: string;
  /** Instead of the tail where there is no item. */
  none: string;
}

const FORMATS: Readonly<Record<string, ReportFormat>> = {
  '.csv': { head: csvHeader(), item: csvLine, tail: '', none: '' },
  '.jsonl': { head: '', item: (item) => `${JSON.stringify(item)}\n`, tail: '', none: '' },
  '.json': { head: '[', item: (item, first) => `${first ? '\n' : ',\n'}${JSON.stringify(item)}`, tail: '\n]\n', none: ']\n' },
};

/** Says before the work begins that its report could not be written. @throws ValidationError */
export async function checkReport(path: string): Promise<void> {
  if (FORMATS[extname(path).toLowerCase()] === undefined)
    throw new ValidationError(`The ${REPORT.what} ${path} must end in .csv, .jsonl or .json`, REPORT);
  await checkWritable(path, REPORT);
}

/** Every item of a migration in the ledger, page by page, in the order of paths. */
export async function* reportItems(
  ledger: Pick<Ledger, 'migrationItems'>,
  id: string,
  status?: MigrationItem['status'],
): AsyncGenerator<MigrationItem> {
  let after: string | null = null;
  for (;;) {
    const page: MigrationItem[] = await ledger.migrationItems(id, { after, limit: PAGE, ...(status === undefined ? {} : { status }) });
    yield* page;
    if (page.length < PAGE) return;
    after = page.at(-1)?.path ?? null;
  }
}

/**
 * Writes a report: the whole file or none. One page is in memory at a time.
 * @returns the number of items
 * @throws ValidationError when the file cannot be written.
 */
export async function writeReport(path: string, items: AsyncIterable<MigrationItem>): Promise<number> {
  const format = FORMATS[extname(path).toLowerCase()];
  if (format === undefined) throw new TypeError(`checkReport was not asked about ${path}`);
  let count = 0;
  async function* pieces(of: ReportFormat): AsyncGenerator<string> {
    yield of.head;
    for await (const item of items) {
      yield of.item(item, count === 0);
      count += 1;
    }
    yield count === 0 ? of.none : of.tail;
  }
  await writeWholeFile(path, pieces(format), REPORT);
  return count;
}
