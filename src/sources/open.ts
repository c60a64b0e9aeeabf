import type { MigrationSource } from '../../workflows/contract.ts';
import type { Provider } from '../providers/provider.ts';
import { folderSource } from './folder.ts';
import { manifestSource } from './manifest.ts';
import { providerSource } from './provider-source.ts';
import type { Source } from './source.ts';

/** The source that a migration names. @throws ProviderNotFoundError */
export function openSource(source: MigrationSource, provider: (name: string) => Provider): Source {
  if (source.kind === 'folder') return folderSource(source.root);
  if (source.kind === 'manifest') return manifestSource(source.path);
  return providerSource(provider(source.provider), source.under);
}
