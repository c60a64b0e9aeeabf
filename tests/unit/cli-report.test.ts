import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkReport, writeReport } from '../../src/cli/report.ts';
import { ValidationError } from '../../src/domain/errors.ts';
import type { MigrationItem } from '../../src/domain/models.ts';
import { csvRecord, REPORT_COLUMNS } from '../../src/domain/report-format.ts';
import { migrationItems } from '../../src/manager/migration-items.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cutover-report-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const item = (path: string, rest: Partial<MigrationItem> = {}): MigrationItem => ({
  path,
  sizeBytes: 1,
  status: 'uploaded',
  sha256: 'a'.repeat(64),
  fileId: null,
  providerFileId: 'live/aa/x',
  verified: 'none',
  errorCode: null,
  error: null,
  sourceProvider: null,
  sourceId: null,
  ...rest,
});
async function* from(items: readonly MigrationItem[]) {
  yield* items;
}
const ITEMS = [item('a,"b"\nc.txt'), item('=SUM(A1)'), item('plain', { status: 'failed', error: 'no\r\nsuch file', errorCode: 'gone' })];

describe('a report', () => {
  it('as CSV is read back by another CSV reader, whatever the names', async () => {
    const path = join(folder, 'r.csv');
    expect(await writeReport(path, from(ITEMS))).toBe(3);
    const rows = parse(readFileSync(path), { columns: true }) as Record<string, string>[];
    expect(rows.map(({ path: name }) => name)).toEqual(['a,"b"\nc.txt', "'=SUM(A1)", 'plain']);
    expect(Object.keys(rows[0] ?? {})).toEqual([...REPORT_COLUMNS]);
    expect(rows[2]?.error).toBe('no\r\nsuch file');
  });

  it('as JSON lines and as JSON holds the names as they are', async () => {
    await writeReport(join(folder, 'r.jsonl'), from(ITEMS));
    await writeReport(join(folder, 'r.json'), from(ITEMS));
    expect(
      readFileSync(join(folder, 'r.jsonl'), 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(ITEMS);
    expect(JSON.parse(readFileSync(join(folder, 'r.json'), 'utf8'))).toEqual(ITEMS);
    await writeReport(join(folder, 'none.json'), from([]));
    expect(JSON.parse(readFileSync(join(folder, 'none.json'), 'utf8'))).toEqual([]);
  });

  it('that breaks off leaves nothing behind, and an older one as it was', async () => {
    const path = join(folder, 'r.csv');
    async function* broken() {
      yield item('one');
      throw new Error('the ledger went away');
    }
    await expect(writeReport(path, broken())).rejects.toThrow('went away');
    expect(readdirSync(folder)).toEqual([]);
    await writeReport(path, from(ITEMS));
    await expect(writeReport(path, broken())).rejects.toThrow('went away');
    expect(readdirSync(folder)).toEqual(['r.csv']);
    expect(readFileSync(path, 'utf8')).toContain('SUM');
  });

  it('that could not be written is refused before the work begins', async () => {
    for (const path of [join(folder, 'r.xlsx'), join(folder, 'no/such/r.csv'), folder])
      await expect(checkReport(path)).rejects.toThrow(ValidationError);
    await checkReport(join(folder, 'r.CSV'));
    expect(existsSync(join(folder, 'r.CSV'))).toBe(false);
  });

  it('takes the items of the ledger page by page, each once', async () => {
    const all = Array.from({ length: 2500 }, (_, index) => item(String(index).padStart(5, '0')));
    const asked: (string | null)[] = [];
    const ledger = {
      migrationItems: async (_: string, { after, limit }: { after: string | null; limit: number }) => {
        asked.push(after);
        return all.filter(({ path }) => after === null || path > after).slice(0, limit);
      },
    };
    const read: MigrationItem[] = [];
    for await (const one of migrationItems(ledger, 'm')) read.push(one);
    expect(read).toEqual(all);
    expect(asked).toEqual([null, '00999', '01999']);
  });
});

describe('a CSV record', () => {
  it('is read back as it was, but for the apostrophe that keeps a spreadsheet from running it', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: fc.constantFrom(...'ab,"\'\n\r =+-@\t') }), { minLength: 2, maxLength: 5 }), (fields) => {
        const [read] = parse(csvRecord(fields), { recordDelimiter: '\r\n', relaxColumnCount: true }) as string[][];
        expect(read).toEqual(fields.map((field) => (/^[=+\-@\t\r]/.test(field) ? `'${field}` : field)));
      }),
    );
  });
});
