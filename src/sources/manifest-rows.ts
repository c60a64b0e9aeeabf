import { createReadStream } from 'node:fs';
import { parse } from 'csv-parse';
import { parse as parseAll } from 'csv-parse/sync';
import { messageOf } from '../domain/errors.ts';

/** One entry of a manifest as it stands there. */
export interface Row {
  /** The line on which it ends, from 1; counted from where reading began. */
  line: number;
  /** Where it begins and where the next one does, in bytes from the start of the manifest. */
  offset: number;
  nextOffset: number;
  value: unknown;
  /** Why it could not be parsed. */
  error: string | null;
}

/** Lines longer than this are no manifest; without a bound a file without line ends would fill the memory. */
const LONGEST_LINE = 1 << 20;

interface Line {
  text: string;
  line: number;
  offset: number;
  nextOffset: number;
}

async function* readLines(path: string, offset: number): AsyncGenerator<Line> {
  let rest: Buffer = Buffer.alloc(0);
  let at = offset;
  let line = 0;
  const next = (bytes: Buffer, length: number): Line => {
    line += 1;
    const begin = at;
    at += length;
    const bom = begin === 0 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
    return { text: bytes.subarray(bom).toString('utf8'), line, offset: begin, nextOffset: at };
  };
  for await (const chunk of createReadStream(path, { start: offset }) as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const bytes = rest.subarray(0, end);
      rest = rest.subarray(end + 1);
      yield next(bytes, end + 1);
    }
    if (rest.length > LONGEST_LINE) throw new Error(`a line is longer than ${LONGEST_LINE} bytes: is this a manifest?`);
  }
  if (rest.length > 0) yield next(rest, rest.length);
}

export async function* readJsonLines(path: string, offset: number): AsyncGenerator<Row> {
  for await (const { text, ...where } of readLines(path, offset)) {
    if (text.trim() === '') continue;
    try {
      yield { ...where, value: JSON.parse(text), error: null };
    } catch (error) {
      yield { ...where, value: null, error: `is not JSON (${messageOf(error)})` };
    }
  }
}

/** The columns of a manifest, from its first line. */
async function csvHeader(path: string): Promise<{ columns: string[]; nextOffset: number }> {
  for await (const { text, nextOffset } of readLines(path, 0)) {
    const columns = (parseAll(text, { relax_quotes: true })[0] ?? []) as string[];
    return { columns: columns.map((column) => column.trim()), nextOffset };
  }
  return { columns: [], nextOffset: 0 };
}

/** RFC 4180: fields in quotes may hold commas, quotes and line ends. */
export async function* readCsv(path: string, offset: number): AsyncGenerator<Row> {
  const { columns, nextOffset: body } = await csvHeader(path);
  if (columns.length === 0) return;
  if (!columns.includes('path')) {
    yield { line: 1, offset: 0, nextOffset: body, value: null, error: `the header has no column "path" (it has: ${columns.join(', ')})` };
    return;
  }
  const start = Math.max(offset, body);
  const parser = createReadStream(path, { start }).pipe(
    parse({
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      relax_quotes: true,
      record_delimiter: ['\r\n', '\n'],
      max_record_size: LONGEST_LINE,
    }),
  );
  let at = start;
  for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { bytes: number; lines: number } }>) {
    const row = { line: info.lines + (offset === 0 ? 1 : 0), offset: at, nextOffset: start + info.bytes };
    at = row.nextOffset;
    if (record.length !== columns.length) {
      yield { ...row, value: null, error: `has ${record.length} fields, the header has ${columns.length}` };
      continue;
    }
    const pairs = columns.map((column, at) => [column, record[at]] as const).filter(([, value]) => value !== '' && value !== undefined);
    yield { ...row, value: Object.fromEntries(pairs), error: null };
  }
}
