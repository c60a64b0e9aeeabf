import { lstat } from 'node:fs/promises';
import { basename } from 'node:path';
import { ValidationError } from '../domain/errors.ts';
import { printable } from '../domain/format.ts';
import type { FileRecord } from '../domain/models.ts';

/** What a file is called where it is written. @param given what the person called it: its id, its SHA-256 or a name */
export function downloadName(file: FileRecord, given: string): string {
  // The name came from outside: its folders must not choose where we write.
  const known = given === file.id || given.toLowerCase() === file.sha256 ? file.originalName : given;
  const base = basename((known ?? '').replaceAll('\0', ''));
  return base === '' || base === '.' || base === '..' ? file.id : base;
}

/** A link that leads nowhere would be overwritten too. @throws ValidationError `target_exists` */
export async function refuseOverwriting(target: string): Promise<void> {
  if ((await lstat(target).catch(() => null)) === null) return;
  throw new ValidationError(`${printable(target)} is there already. Use --force to overwrite it, or -o for another name.`, {
    code: 'target_exists',
  });
}
