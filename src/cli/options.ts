import { InvalidArgumentError, Option } from 'commander';
import { MODEL_KINDS } from '../domain/time-limits.ts';

/** Parsers of arguments that more than one command takes. */

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    return value;
  };
}

/** Ids become part of a workflow's id, which is stored in plain text and typed by people. */
export function migrationId(text: string): string {
  const id = text.replace(/^migrate:/, '');
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(id))
    throw new InvalidArgumentError('It must be 1 to 100 of A-Z, a-z, 0-9, dot, dash and underscore, and begin with a letter or digit.');
  return id;
}

export const collect = (value: string, previous: readonly string[] = []): readonly string[] => [...previous, value];

export const toOption = (about = 'the provider to which files go') => new Option('--to <provider>', about).default('supabase');

export const verifyOption = () =>
  new Option('--verify [how]', 'check each stored copy: by the size and hash on record, or by reading it back')
    .choices(['stored', 'download'])
    .preset('stored');

export const modelOption = () =>
  new Option(
    '--model <kind>',
    'what kind of model the file is for, which stretches or shortens the time limits; default: standard',
  ).choices(MODEL_KINDS);
