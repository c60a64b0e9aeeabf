import { randomUUID } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { messageOf, ValidationError } from '../domain/errors.ts';
import type { Sign } from '../domain/verification.ts';
import { checkWritable } from './whole-file.ts';

/** Files with the paths of one sign each: whole at the end, or not there at all. */
export interface SignFiles {
  write(sign: Sign, path: string): Promise<void>;
  close(): Promise<void>;
  /** As if they had never been begun. */
  discard(): Promise<void>;
}

const LIST = { what: 'list', code: 'list_not_writable' };

/** @throws ValidationError when one of them cannot be written */
export async function openSignFiles(paths: Partial<Record<Sign, string>>): Promise<SignFiles> {
  const wanted = Object.entries(paths) as [Sign, string][];
  for (const [, path] of wanted) await checkWritable(path, LIST);
  const opened = new Map<Sign, { handle: FileHandle; path: string; temporary: string }>();
  try {
    for (const [sign, path] of wanted) {
      const temporary = `${path}.${randomUUID().slice(0, 8)}.part`;
      opened.set(sign, { handle: await open(temporary, 'wx'), path, temporary });
    }
  } catch (error) {
    await discard();
    throw new ValidationError(`A list cannot be written: ${messageOf(error)}`, { code: LIST.code, cause: error });
  }
  async function discard(): Promise<void> {
    for (const { handle, temporary } of opened.values()) {
      await handle.close().catch(() => undefined);
      await rm(temporary, { force: true });
    }
  }
  return {
    async write(sign, path) {
      // A path with a line break would be read as two.
      await opened.get(sign)?.handle.writeFile(`${path.replaceAll('\n', '\\n')}\n`);
    },
    async close() {
      for (const { handle, path, temporary } of opened.values()) {
        await handle.close();
        await rename(temporary, path);
      }
    },
    discard,
  };
}
