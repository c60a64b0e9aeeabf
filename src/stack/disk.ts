import { statfsSync } from 'node:fs';
import { formatBytes } from '../domain/format.ts';
import { StackError } from './stack-error.ts';

/** Below this, databases begin to fail in ways that are hard to understand. */
export const LEAST_FREE_BYTES = 300 * 1024 * 1024;

export function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/** Whether that is why something could not be written. */
export const isDiskFull = (error: unknown): boolean => ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');

/** @throws StackError `disk_full` naming the folder. */
export function requireFreeDisk(folder: string): void {
  const free = freeBytes(folder);
  if (free < LEAST_FREE_BYTES)
    throw new StackError(
      'disk_full',
      `Only ${formatBytes(free)} are free in ${folder}; the stack needs ${formatBytes(LEAST_FREE_BYTES)}. Free some, or set CUTOVER_STATE_DIR to a folder on another disk.`,
    );
}
