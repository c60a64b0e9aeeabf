import type { MigrateInput } from '../../workflows/contract.ts';
import { choosePurpose } from '../domain/capabilities.ts';
import { ValidationError } from '../domain/errors.ts';
import { mayGiveBack, notReadBack } from '../domain/read-back.ts';
import { namesByContent, type Provider } from '../providers/provider.ts';

/** What of a migration is looked at before it begins. */
export type NewMigration = Pick<MigrateInput, 'source' | 'provider'> & Partial<Pick<MigrateInput, 'verify' | 'purpose'>>;

/**
 * What cannot be right, whatever the source holds.
 * @param provider throws ProviderNotFoundError
 * @throws ValidationError `same_place`, `not_downloadable`, `purpose_unknown`
 */
export function refuseMigration(
  { source, provider: to, verify, purpose = 'storage' }: NewMigration,
  provider: (name: string) => Provider,
): void {
  const target = provider(to);
  if (source.kind === 'provider' && isSamePlace(provider(source.provider), source.under, target))
    throw new ValidationError(
      namesByContent(target)
        ? `${to} keeps its own files there: to move files to it, name another of its buckets (provider:${to}/BUCKET), or choose another --to`
        : `The files of ${source.provider} are at ${to} already: choose another --to`,
      { code: 'same_place', provider: to },
    );
  choosePurpose(to, target.capabilities, purpose, { name: '', sizeBytes: null });
  if (verify === 'download' && !mayGiveBack(target.capabilities, purpose)) throw notReadBack(to);
}

/** At a storage, the first part of an id is the bucket. */
function isSamePlace(source: Provider, under: string | null, target: Provider): boolean {
  if (source.name !== target.name || source.account !== target.account) return false;
  const own = target.idOf('0'.repeat(64), 'live');
  return own === null || under === null || under.split('/')[0] === own.split('/')[0];
}
