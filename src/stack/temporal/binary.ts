import { accessSync, constants, mkdirSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { takeLock } from '../lock.ts';
import { StackError } from '../stack-error.ts';
import { type BuildContext, buildWithGo, downloadBySdk } from './install.ts';
import { TEMPORAL_VERSION } from './version.ts';

export interface TemporalBinary {
  path: string;
  source: 'path' | 'cache' | 'download' | 'go';
}

export const cachedBinary = (cacheDir: string): string => join(cacheDir, `temporal-${TEMPORAL_VERSION}`, 'temporal');

/** Where a Temporal CLI is already: on PATH, else in our cache. */
export function findTemporal(cacheDir: string, env: Readonly<Record<string, string | undefined>>): TemporalBinary | null {
  const onPath = findProgram('temporal', env);
  if (onPath !== null) return { path: onPath, source: 'path' };
  const cached = cachedBinary(cacheDir);
  return isExecutable(cached) ? { path: cached, source: 'cache' } : null;
}

/**
 * A Temporal CLI, found or installed into the cache: by the SDK's download, else built with Go. Several processes may ask at once:
 * one installs and the others wait.
 * @throws StackError `temporal_missing` saying how to install one
 */
export async function obtainTemporal(context: BuildContext): Promise<TemporalBinary> {
  const { cacheDir, env, log, signal } = context;
  const found = findTemporal(cacheDir, env);
  if (found !== null) return found;
  mkdirSync(cacheDir, { recursive: true });
  for (let told = false; ; ) {
    const lock = await takeLock(cacheDir, () => null);
    if (lock !== null) {
      try {
        return findTemporal(cacheDir, env) ?? (await install(context));
      } finally {
        await lock.release();
      }
    }
    if (!told) log('Another process is installing Temporal; waiting for it.');
    told = true;
    await delay(500, null, { signal });
  }
}

async function install(context: BuildContext): Promise<TemporalBinary> {
  const path = cachedBinary(context.cacheDir);
  if (await downloadBySdk(path, context)) return { path, source: 'download' };
  const go = findProgram('go', context.env);
  if (go === null)
    throw new StackError(
      'temporal_missing',
      'No Temporal server was found, and none could be downloaded. Install the Temporal CLI (https://docs.temporal.io/cli) so that `temporal` is on the PATH, or install Go (https://go.dev/dl) so that it can be built, or set TEMPORAL_ADDRESS to a server that runs.',
    );
  await buildWithGo(go, path, context);
  return { path, source: 'go' };
}

/** A program on the PATH. */
export function findProgram(name: string, env: Readonly<Record<string, string | undefined>>): string | null {
  const folders = (env.PATH ?? '').split(delimiter).filter(isAbsolute);
  return folders.map((folder) => join(folder, name)).find(isExecutable) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
