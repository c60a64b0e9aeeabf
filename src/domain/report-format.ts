import type { MigrationItem } from './models.ts';

/** The columns of a migration's report, in order. Also the keys of its JSON lines. */
export const REPORT_COLUMNS = [
  'path',
  'sizeBytes',
  'status',
  'sha256',
  'fileId',
  'providerFileId',
  'verified',
  'errorCode',
  'error',
  'sourceProvider',
  'sourceId',
] as const satisfies readonly (keyof MigrationItem)[];

/**
 * One record of a CSV file (RFC 4180: fields with commas, quotes or line breaks in quotes, CRLF at the end). A field that a
 * spreadsheet would run as a formula gets an apostrophe in front (OWASP, CSV injection); the JSON forms keep it as it is.
 */
export function csvRecord(fields: readonly (string | number | null)[]): string {
  return `${fields.map(csvField).join(',')}\r\n`;
}

function csvField(value: string | number | null): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
