import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stackEnvPath } from '../config/index.ts';

/** Where everything of one stack lies below its state folder. */
export function statePaths(dir: string) {
  return {
    dir,
    /** For other commands: addresses and keys of what runs now. */
    env: stackEnvPath(dir),
    secrets: join(dir, 'secrets.json'),
    ports: join(dir, 'ports.json'),
    processes: join(dir, 'processes.json'),
    logs: join(dir, 'logs'),
    temporalDb: join(dir, 'temporal.db'),
    postgres: join(dir, 'postgres'),
    objects: join(dir, 'objects'),
  };
}
export type StatePaths = ReturnType<typeof statePaths>;

/** Where this package lies: the nearest folder above with a package.json, from the sources as well as from `dist`. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

/** A program of ours that another process runs, as TypeScript or as it was built. @param path relative to the module `from`, without extension */
export function entryPoint(path: string, from: string): string {
  return fileURLToPath(new URL(`${path}${from.endsWith('.ts') ? '.ts' : '.js'}`, from));
}
