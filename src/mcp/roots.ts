import { lstat, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ValidationError } from '../domain/errors.ts';
import { printable } from '../domain/format.ts';
import { leadsTo, refusedBy } from '../sources/allowed-folders.ts';

/** The folders whose files tools may read and write: a model may name any path. Links count as what they lead to. */
export interface Roots {
  /** Absolute, the first one is where relative paths begin. */
  readonly folders: readonly string[];
  /** Files and folders below them that are kept from tools all the same. */
  readonly kept: readonly string[];
  /** Where a path leads, all links followed. @throws ValidationError `outside_of_roots`, `kept_from_tools` */
  readable(path: string): Promise<string>;
  /** Where a file of this path would be written. The same errors; FileNotFound is left to whoever writes. */
  writable(path: string): Promise<string>;
}

/**
 * @param given folders, relative to `cwd`; none: `cwd` itself
 * @param kept files and folders below them that are kept from tools all the same: those with secrets
 * @throws ValidationError `root_not_found`
 */
export async function openRoots(given: readonly string[], cwd: string, kept: readonly string[]): Promise<Roots> {
  const folders = await Promise.all((given.length === 0 ? ['.'] : given).map((folder) => rootOf(resolve(cwd, folder))));
  const allowed = { folders, kept: await Promise.all(kept.map(leadsTo)) };
  const [first = cwd] = folders;

  function checked(real: string, path: string): string {
    const refused = refusedBy(allowed, real);
    if (refused === 'outside')
      throw new ValidationError(
        `${printable(path)} is outside of the folders that this server may use: ${folders.join(', ')}. Name a path in one of them; whoever starts the server can allow more with --root`,
        { code: 'outside_of_roots' },
      );
    if (refused === 'kept')
      throw new ValidationError(`${printable(path)} belongs to Cutover itself and may hold secrets: tools do not touch it`, {
        code: 'kept_from_tools',
      });
    return real;
  }
  return {
    ...allowed,
    readable: async (path) => checked(await leadsTo(absolute(path, first)), path),
    async writable(path) {
      const target = absolute(path, first);
      // What is overwritten is what a link leads to; where nothing is, the folder decides.
      const there = (await lstat(target).catch(() => null)) !== null;
      return checked(there ? await leadsTo(target) : join(await leadsTo(dirname(target)), basename(target)), path);
    },
  };
}

async function rootOf(folder: string): Promise<string> {
  const found = await stat(folder).catch(() => null);
  if (found?.isDirectory() === true) return await realpath(folder);
  throw new ValidationError(`--root ${printable(folder)}: there is no such folder. Name one that is there`, { code: 'root_not_found' });
}

function absolute(path: string, root: string): string {
  if (path.includes('\0')) throw new ValidationError('A path must not hold a NUL character', { code: 'path_invalid' });
  return resolve(root, path);
}
