import { realpath } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import type { AllowedFolders } from '../../workflows/contract.ts';
import type { SourceItem } from '../domain/migration-item.ts';
import type { Source } from './source.ts';

/** The real path; of what is not there, that of the nearest folder that is, with the rest below it. */
export async function leadsTo(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(await leadsTo(parent), basename(path));
  }
}

/** Why a file must not be touched; null: it may. @param real with all links followed */
export function refusedBy({ folders, kept }: AllowedFolders, real: string): 'outside' | 'kept' | null {
  if (!folders.some((folder) => isWithin(real, folder))) return 'outside';
  return kept.some((one) => isWithin(real, one)) ? 'kept' : null;
}

/** Files that lead out are listed as failed: whoever looked at a manifest before may find another in its place, page for page. */
export function withinFolders(source: Source, allowed: AllowedFolders): Source {
  async function checked(item: SourceItem): Promise<SourceItem> {
    if (item.source?.kind !== 'path' || refusedBy(allowed, await leadsTo(item.source.path)) === null) return item;
    const message = `${item.path} is outside of the folders that this migration may read`;
    return { ...item, sizeBytes: 0, source: null, problem: { status: 'failed', code: 'outside_of_roots', message } };
  }
  return {
    check: (signal) => source.check(signal),
    async page(cursor, limit, signal) {
      const { items, next } = await source.page(cursor, limit, signal);
      return { items: await Promise.all(items.map(checked)), next };
    },
  };
}

function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`));
}
