import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cleanEnv, scratchFolder } from './stack.ts';

export interface Scratch {
  path: string;
  /** Writes a file there; answers its path. */
  put(name: string, content: string | Uint8Array): string;
  /** The environment of a command that runs there, over whatever servers it names. */
  env(more: Record<string, string>): Record<string, string | undefined>;
  remove(): void;
}

/** A folder for a command's files and state. */
export function scratchWith(name: string): Scratch {
  const { path, remove } = scratchFolder(name);
  return {
    path,
    put(file, content) {
      const target = join(path, file);
      writeFileSync(target, content);
      return target;
    },
    env: (more) => cleanEnv(join(path, '.cutover'), more),
    remove,
  };
}
