import type { Row } from './case.ts';

const COLUMNS: readonly (readonly [string, (row: Row) => string])[] = [
  ['case', ({ name }) => name],
  ['files', ({ files }) => String(files)],
  ['kills', ({ kills }) => String(kills)],
  ['seconds', ({ seconds }) => seconds.toFixed(1)],
  ['arrived', ({ arrived }) => String(arrived)],
  ['twice', ({ twice }) => String(twice)],
  ['damaged', ({ damaged }) => String(damaged)],
  ['orphans', (row) => String(row.orphans)],
  ['left-overs', (row) => String(row.leftovers)],
  ['ok', (row) => (isOk(row) ? 'yes' : 'NO')],
];

/** Everything arrived, once and whole, and nothing was left running or lying about. */
export const isOk = ({ files, arrived, problems }: Row): boolean => files > 0 && arrived === files && problems.length === 0;

/** The rows in columns, numbers to the right. */
export function formatTable(rows: readonly Row[]): string {
  const cells = [COLUMNS.map(([title]) => title), ...rows.map((row) => COLUMNS.map(([, cell]) => cell(row)))];
  const widths = COLUMNS.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)));
  return cells
    .map((line) => line.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  '))
    .join('\n');
}
