import { extname } from 'node:path';
import { ValidationError } from '../domain/errors.ts';
import { csvRecord, REPORT_COLUMNS } from '../domain/report-format.ts';
import { checkWritable, writeWholeFile } from './whole-file.ts';

const REPORT = { what: 'report', code: 'report_not_writable' };

/** The cells of one line, by column. */
type Line = Readonly<Record<string, string | number | null>>;

interface ReportFormat {
  head(columns: readonly string[]): string;
  item(item: Line, columns: readonly string[], first: boolean): string;
  tail: string;
  /** Instead of the tail where there is no item. */
  none: string;
}

const json = (item: Line, columns: readonly string[]) =>
  JSON.stringify(Object.fromEntries(columns.map((column) => [column, item[column]])));
const FORMATS: Readonly<Record<string, ReportFormat>> = {
  '.csv': {
    head: (columns) => csvRecord(columns),
    item: (item, columns) => csvRecord(columns.map((column) => item[column] ?? null)),
    tail: '',
    none: '',
  },
  '.jsonl': { head: () => '', item: (item, columns) => `${json(item, columns)}\n`, tail: '', none: '' },
  '.json': {
    head: () => '[',
    item: (item, columns, first) => `${first ? '\n' : ',\n'}${json(item, columns)}`,
    tail: '\n]\n',
    none: ']\n',
  },
};

/** Says before the work begins that its report could not be written. @throws ValidationError */
export async function checkReport(path: string): Promise<void> {
  if (FORMATS[extname(path).toLowerCase()] === undefined)
    throw new ValidationError(`The ${REPORT.what} ${path} must end in .csv, .jsonl or .json`, REPORT);
  await checkWritable(path, REPORT);
}

/**
 * Writes a report: the whole file or none. One page is in memory at a time.
 * @param columns in their order; of a migration's where nothing is said
 * @returns the number of items
 * @throws ValidationError when the file cannot be written.
 */
export async function writeReport<T extends { [K in keyof T]: string | number | null }>(
  path: string,
  items: AsyncIterable<T>,
  columns: readonly (keyof T & string)[] = REPORT_COLUMNS as readonly string[] as readonly (keyof T & string)[],
): Promise<number> {
  const format = FORMATS[extname(path).toLowerCase()];
  if (format === undefined) throw new TypeError(`checkReport was not asked about ${path}`);
  let count = 0;
  async function* pieces(of: ReportFormat): AsyncGenerator<string> {
    yield of.head(columns);
    for await (const item of items) {
      yield of.item(item, columns, count === 0);
      count += 1;
    }
    yield count === 0 ? of.none : of.tail;
  }
  await writeWholeFile(path, pieces(format), REPORT);
  return count;
}
