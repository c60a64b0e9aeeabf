import { stat } from 'node:fs/promises';
import { ValidationError } from '../domain/errors.ts';
import type { PathSource } from '../domain/models.ts';
import { fileError } from './file-errors.ts';

/**
 * One file of this machine, as it is now.
 * @param path absolute
 * @throws ValidationError `is_a_folder`, `not_a_file`, and what `fileError` makes of one that cannot be had
 */
export async function pathSourceOf(path: string): Promise<PathSource> {
  const found = await stat(path).catch((error: unknown) => {
    throw fileError(error, path);
  });
  if (found.isDirectory())
    throw new ValidationError(`${path} is a folder. To move all of it: npx cutover migrate ${path}`, { code: 'is_a_folder' });
  if (!found.isFile()) throw new ValidationError(`${path} is not a file`, { code: 'not_a_file' });
  return { kind: 'path', path, sizeBytes: found.size, modifiedMs: found.mtimeMs };
}
