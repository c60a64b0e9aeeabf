import { namesByContent, type Provider } from '../providers/provider.ts';

/**
 * Whether a provider reaches a copy's account: another one would say that nothing is there, or delete what is its own. Ids of a
 * storage name their bucket, so any bucket of the same place will do.
 */
export function reaches(provider: Provider, account: string): boolean {
  const place = (of: string): string => (namesByContent(provider) ? of.slice(0, of.lastIndexOf('/')) : of);
  return place(account) === place(provider.account);
}
