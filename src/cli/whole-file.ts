import { randomUUID } from 'node:crypto';
import { access, constants, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf, ValidationError } from '../domain/errors.ts';

/** What such a file is called in errors, and their code. */
export interface FileKind {
  what: string;
  code: string;
}

/** Says before the work begins that a file could not be written. @throws ValidationError */
export async function checkWritable(path: string, { what, code }: FileKind): Promise<void> {
  const refuse = (why: string) => new ValidationError(`The ${what} ${path} ${why}`, { code });
  if ((await stat(path).catch(() => null))?.isDirectory() === true) throw refuse('is a folder: name a file');
  try {
    await access(dirname(path), constants.W_OK);
  } catch (error) {
    throw refuse(`cannot be written: ${messageOf(error)}`);
  }
}

/** Writes the whole file or none; one piece is in memory at a time. @throws ValidationError when it cannot be written */
export async function writeWholeFile(path: string, pieces: AsyncIterable<string>, { what, code }: FileKind): Promise<void> {
  const temporary = `${path}.${randomUUID().slice(0, 8)}.part`;
  try {
    const handle = await open(temporary, 'wx');
    try {
      for await (const piece of pieces) await handle.writeFile(piece);
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new ValidationError(`The ${what} ${path} could not be written: ${messageOf(error)}`, { code, cause: error });
  }
}
