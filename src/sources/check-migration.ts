import type { Provider } from '../providers/provider.ts';
import { openSource } from './open.ts';
import { type NewMigration, refuseMigration } from './refuse-migration.ts';
import type { Source } from './source.ts';

/**
 * Looks at a migration before it is started.
 * @param provider null where no provider is known here: the workers find out what is wrong
 * @returns what it would list; null for an account, which can be listed only from where its key is known
 * @throws ProviderNotFoundError, and ValidationError saying what is wrong with the source or the target
 */
export async function checkMigration(
  migration: NewMigration,
  provider: ((name: string) => Provider) | null,
  signal: AbortSignal,
): Promise<Source | null> {
  if (provider !== null) refuseMigration(migration, provider);
  const { source } = migration;
  if (provider === null && source.kind === 'provider') return null;
  const listing = openSource(source, (name) => {
    if (provider === null) throw new TypeError('a provider can be listed only where its key is known');
    return provider(name);
  });
  await listing.check(signal);
  return listing;
}
