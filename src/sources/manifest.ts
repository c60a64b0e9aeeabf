import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { messageOf, ValidationError } from '../domain/errors.ts';
import type { SourceItem } from '../domain/migration-item.ts';
import { fileError } from './file-errors.ts';
import { type Row, readCsv, readJsonLines } from './manifest-rows.ts';
import { type Source, startPage } from './source.ts';

/** What one line of a manifest may say. `path` is absolute, or relative to the manifest's folder. */
const ManifestEntry = z.strictObject({
  path: z.string().min(1, 'must not be empty'),
  /** The file's name in the ledger; the path where it is absent. */
  name: z.string().min(1).max(4096).optional(),
  user_id: z.string().min(1).max(500).optional(),
  context: z.string().max(4000).optional(),
  /** In CSV separated by `;`. */
  tags: z.union([z.array(z.string()), z.string().transform((tags) => tags.split(';').map((tag) => tag.trim()))]).optional(),
});
type ManifestEntry = z.infer<typeof ManifestEntry>;

/** The files that a manifest names: CSV with a header (`.csv`), or JSON lines (`.jsonl`, `.ndjson`). The cursor is a byte offset. */
export function manifestSource(manifest: string): Source {
  const rows = (offset: number) => (/\.csv$/i.test(manifest) ? readCsv(manifest, offset) : readJsonLines(manifest, offset));
  return {
    async check() {
      const faults: string[] = [];
      let entries = 0;
      try {
        for await (const row of rows(0)) {
          entries += 1;
          const fault = faultOf(row);
          if (fault !== null) faults.push(`line ${row.line}: ${fault}`);
          if (faults.length > 10) break;
        }
      } catch (error) {
        throw fileError(error, manifest);
      }
      if (faults.length > 0) {
        const more = faults.length > 10 ? '\n  … and more' : '';
        throw new ValidationError(
          `The manifest ${manifest} has broken lines; nothing was started:\n  ${faults.slice(0, 10).join('\n  ')}${more}`,
          {
            code: 'manifest_invalid',
          },
        );
      }
      if (entries === 0)
        throw new ValidationError(`The manifest ${manifest} names no files: there is nothing to migrate.`, { code: 'source_empty' });
    },
    async page(cursor, limit) {
      const page = startPage(limit);
      try {
        for await (const row of rows(cursor === null ? 0 : Number(cursor))) {
          if (page.add(await item(manifest, row))) return { items: page.items, next: String(row.nextOffset) };
        }
      } catch (error) {
        throw fileError(error, manifest);
      }
      return { items: page.items, next: null };
    },
  };
}

function faultOf(row: Row): string | null {
  if (row.error !== null) return row.error;
  const parsed = ManifestEntry.safeParse(row.value);
  if (parsed.success) return null;
  return parsed.error.issues.map((issue) => `${issue.path.join('.') || 'entry'}: ${issue.message}`).join('; ');
}

async function item(manifest: string, row: Row): Promise<SourceItem> {
  const base = { key: createHash('sha256').update(`${row.offset}`).digest('hex').slice(0, 16), sizeBytes: 0, source: null };
  const fault = faultOf(row);
  if (fault !== null)
    return {
      ...base,
      path: `line at byte ${row.offset}`,
      problem: { status: 'failed', code: 'manifest_invalid', message: `The manifest changed: ${fault}` },
    };
  const entry: ManifestEntry = ManifestEntry.parse(row.value);
  const path = resolve(dirname(manifest), entry.path);
  const reference = {
    ...(entry.name === undefined ? {} : { name: entry.name }),
    ...(entry.user_id === undefined ? {} : { userId: entry.user_id }),
    ...(entry.context === undefined ? {} : { context: entry.context }),
    ...(entry.tags === undefined ? {} : { tags: entry.tags }),
  };
  try {
    const found = await stat(path);
    if (!found.isFile())
      return { ...base, path: entry.path, problem: { status: 'failed', code: 'not_a_file', message: `${entry.path} is not a file` } };
    return {
      ...base,
      path: entry.path,
      sizeBytes: found.size,
      source: { kind: 'path', path, sizeBytes: found.size, modifiedMs: found.mtimeMs },
      reference,
    };
  } catch (error) {
    const problem = fileError(error, entry.path);
    return { ...base, path: entry.path, problem: { status: 'failed', code: problem.code, message: messageOf(problem) } };
  }
}
