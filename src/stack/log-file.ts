import { copyFileSync, fstatSync, openSync, readFileSync, statSync, truncateSync } from 'node:fs';

const LARGEST = 10 * 1024 * 1024;

/** A file descriptor that appends, for a child's output. Given to the child itself, it outlives us. */
export function openLog(path: string): number {
  boundLog(path);
  return openSync(path, 'a', 0o600);
}

/** Moves what a log has beyond its bound to `<name>.1`. Safe while it is written to, because its writers append. */
export function boundLog(path: string): void {
  try {
    if (statSync(path).size <= LARGEST) return;
    copyFileSync(path, `${path}.1`);
    truncateSync(path);
  } catch (error) {
    if (!['ENOENT', 'ENOSPC'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** How far a log has been written, to read later what came after. */
export function logEnd(descriptor: number): number {
  return fstatSync(descriptor).size;
}

/** The last lines written after `from`. */
export function lastLines(path: string, count: number, from = 0): string[] {
  const text = readFileSync(path).subarray(from).toString();
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-count);
}
