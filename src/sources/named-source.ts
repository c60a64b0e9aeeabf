import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { MigrationSource } from '../../workflows/contract.ts';
import { ValidationError } from '../domain/errors.ts';

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
