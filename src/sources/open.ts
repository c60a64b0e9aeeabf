import type { MigrationSource } from '../../workflows/contract.ts';
import { ValidationError } from '../domain/errors.ts';
import { folderSource } from './folder.ts';
import { manifestSource } from './manifest.ts';
import type { Source } from './source.ts';

/** The source that a migration names. */
export function openSource(source: MigrationSource): Source {
  if (source.kind === 'folder') return folderSource(source.root);
  if (source.kind === 'manifest') return manifestSource(source.path);
  throw new ValidationError(`provider:${source.provider} cannot be read yet`, { code: 'not_supported' });
}
