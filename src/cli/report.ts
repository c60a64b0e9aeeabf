import { randomUUID } from 'node:crypto';
import { access, constants, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, extname } from 'node:path';
import { messageOf, ValidationError } from '../domain/errors.ts';
import type { MigrationItem } from '../domain/models.ts';
import { csvHeader, csvLine } from '../domain/report-format.ts';
import type { Ledger } from '../ledger/ledger.ts';

const PAGE = 1000;

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
  const refuse = (why: string) => new ValidationError(`The report ${path} ${why}`, { code: 'report_not_writable' });
  if (FORMATS[extname(path).toLowerCase()] === undefined) throw refuse('must end in .csv, .jsonl or .json');
  if ((await stat(path).catch(() => null))?.isDirectory() === true) throw refuse('is a folder: name a file');
  try {
    await access(dirname(path), constants.W_OK);
  } catch (error) {
    throw refuse(`cannot be written: ${messageOf(error)}`);
  }
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
  const temporary = `${path}.${randomUUID().slice(0, 8)}.part`;
  let count = 0;
  try {
    const handle = await open(temporary, 'wx');
    try {
      await handle.writeFile(format.head);
      for await (const item of items) {
        await handle.writeFile(format.item(item, count === 0));
        count += 1;
      }
      await handle.writeFile(count === 0 ? format.none : format.tail);
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    return count;
  } catch (error) {
    await rm(temporary, { force: true });
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new ValidationError(`The report ${path} could not be written: ${messageOf(error)}`, {
      code: 'report_not_writable',
      cause: error,
    });
  }
}
