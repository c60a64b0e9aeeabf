import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import type { MigrationSource } from '../../workflows/contract.ts';
import { ValidationError } from '../domain/errors.ts';
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

/**
 * The source that a person named. Paths become absolute, because workers may run elsewhere.
 * @throws ValidationError when it is neither a folder nor a manifest nor a provider.
 */
export async function sourceOf(given: string, cwd: string): Promise<MigrationSource> {
  const named = /^provider:([^/]*)(?:\/(.*))?$/s.exec(given);
  if (named !== null) return providerSourceOf(named[1] ?? '', named[2] ?? '');
  const path = resolve(cwd, given);
  const found = await stat(path).catch(() => null);
  if (found === null) throw new ValidationError(`There is no folder or manifest ${path}. Check the path.`, { code: 'source_not_found' });
  if (found.isDirectory()) return { kind: 'folder', root: path };
  if (/\.(csv|jsonl|ndjson)$/i.test(path)) return { kind: 'manifest', path };
  throw new ValidationError(
    `${path} is neither a folder nor a manifest (.csv, .jsonl, .ndjson). To upload one file: npx cutover upload ${given}`,
    {
      code: 'source_not_a_folder',
    },
  );
}

function providerSourceOf(provider: string, under: string): MigrationSource {
  if (!/^[a-z0-9-]+$/.test(provider))
    throw new ValidationError('Name a provider: provider:kimi, or provider:supabase/BUCKET/FOLDER', { code: 'source_not_found' });
  return { kind: 'provider', provider, under: under === '' ? null : under };
}
