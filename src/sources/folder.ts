import { createHash } from 'node:crypto';
import type { Dirent, Stats } from 'node:fs';
import { opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ValidationError } from '../domain/errors.ts';
import type { SourceItem } from '../domain/migration-item.ts';
import { fileError, isErrno } from './file-errors.ts';
import { type Source, startPage } from './source.ts';

/** Names held at once while a folder is read: memory does not grow with the number of files in it. */
const BATCH = 1000;

/**
 * Every file below a folder, in the order of names. The cursor is the path last listed. Links to files are followed; links to
 * folders, broken links, sockets and the like are reported. Files that appear behind the cursor while it runs are for the next run.
 */
export function folderSource(root: string): Source {
  return {
    async check() {
      let found: Stats;
      try {
        found = await stat(root);
      } catch (error) {
        throw isErrno(error, 'ENOENT')
          ? new ValidationError(`There is no folder ${root}. Check the path; workers must see it too.`, {
              code: 'source_not_found',
              cause: error,
            })
          : fileError(error, root);
      }
      if (!found.isDirectory())
        throw new ValidationError(`${root} is not a folder. Give a folder or a manifest (.csv, .jsonl).`, { code: 'source_not_a_folder' });
      for await (const _ of walk(root, '', [])) return;
      throw new ValidationError(`The folder ${root} holds no files: there is nothing to migrate.`, { code: 'source_empty' });
    },
    async page(cursor, limit) {
      const page = startPage(limit);
      for await (const entry of walk(root, '', cursor === null ? [] : cursor.split('/'))) {
        if (page.add(await item(root, entry))) return { items: page.items, next: entry.path };
      }
      return { items: page.items, next: null };
    },
  };
}

interface Entry {
  path: string;
  kind: 'file' | 'link' | 'special';
  /** Why a folder could not be listed. */
  error?: unknown;
}

async function* walk(root: string, folder: string, after: readonly string[]): AsyncGenerator<Entry> {
  let from = after[0] ?? null;
  let inclusive = after.length > 1;
  for (;;) {
    let batch: Dirent[];
    try {
      batch = await smallestNames(join(root, folder), from, inclusive);
    } catch (error) {
      if (folder === '' && from === null) throw fileError(error, root);
      yield { path: folder, kind: 'special', error };
      return;
    }
    for (const entry of batch) {
      const below = inclusive && entry.name === from ? after.slice(1) : [];
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) yield* walk(root, path, below);
      else if (below.length === 0) yield { path, kind: entry.isFile() ? 'file' : entry.isSymbolicLink() ? 'link' : 'special' };
    }
    if (batch.length < BATCH) return;
    from = batch.at(-1)?.name ?? null;
    inclusive = false;
  }
}

/** The next names of a folder in order, without ever holding all of them. */
async function smallestNames(folder: string, from: string | null, inclusive: boolean): Promise<Dirent[]> {
  let kept: Dirent[] = [];
  const order = (a: Dirent, b: Dirent) => (a.name < b.name ? -1 : 1);
  for await (const entry of await opendir(folder, { bufferSize: 256 })) {
    if (from !== null && (entry.name < from || (entry.name === from && !inclusive))) continue;
    kept.push(entry);
    if (kept.length >= 4 * BATCH) kept = kept.sort(order).slice(0, BATCH);
  }
  return kept.sort(order).slice(0, BATCH);
}

async function item(root: string, entry: Entry): Promise<SourceItem> {
  const path = entry.path;
  const base = { path, key: createHash('sha256').update(path).digest('hex').slice(0, 16), sizeBytes: 0, source: null };
  if (entry.error !== undefined) return { ...base, problem: failed(fileError(entry.error, path)) };
  if (entry.kind === 'special')
    return { ...base, problem: { status: 'skipped', code: 'not_a_file', message: `${path} is a socket, a pipe or a device, not a file` } };
  const absolute = join(root, path);
  try {
    const found = await stat(absolute);
    if (found.isDirectory())
      return {
        ...base,
        problem: {
          status: 'skipped',
          code: 'link_to_folder',
          message: `${path} is a link to a folder: not followed; migrate that folder by itself`,
        },
      };
    if (!found.isFile())
      return { ...base, problem: { status: 'skipped', code: 'not_a_file', message: `${path} links to something that is not a file` } };
    return { ...base, sizeBytes: found.size, source: { kind: 'path', path: absolute, sizeBytes: found.size, modifiedMs: found.mtimeMs } };
  } catch (error) {
    if (entry.kind === 'link' && isErrno(error, 'ENOENT', 'ELOOP'))
      return { ...base, problem: { status: 'failed', code: 'broken_link', message: `${path} is a link that leads nowhere` } };
    return { ...base, problem: failed(fileError(error, path)) };
  }
}

const failed = (error: { code: string; message: string }) => ({ status: 'failed' as const, code: error.code, message: error.message });
