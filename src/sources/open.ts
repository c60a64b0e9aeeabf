import type { MigrationSource } from '../../workflows/contract.ts';
import type { Provider } from '../providers/provider.ts';
import { withinFolders } from './allowed-folders.ts';
import { folderSource } from './folder.ts';
import { manifestSource } from './manifest.ts';
import { providerSource } from './provider-source.ts';
import type { Source } from './source.ts';

/** The source that a migration names. @throws ProviderNotFoundError */
export function openSource(source: MigrationSource, provider: (name: string) => Provider): Source {
  if (source.kind === 'provider') return providerSource(provider(source.provider), source.under);
  const files = source.kind === 'folder' ? folderSource(source.root) : manifestSource(source.path);
  return source.within === undefined ? files : withinFolders(files, source.within);
}
