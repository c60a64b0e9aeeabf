import { ProviderNotFoundError } from '../domain/errors.ts';
import type { Provider } from './provider.ts';

export interface ProviderRegistry {
  /** Throws ProviderNotFoundError, which lists those there are. */
  get(name: string): Provider;
  names(): string[];
}

/** The providers that are configured, by name. */
export function createRegistry(providers: readonly Provider[]): ProviderRegistry {
  const byName = new Map(providers.map((provider) => [provider.name, provider]));
  const names = () => [...byName.keys()].sort();
  return {
    get(name) {
      const provider = byName.get(name);
      if (provider !== undefined) return provider;
      const known = names().length === 0 ? 'none is configured' : `there are: ${names().join(', ')}`;
      throw new ProviderNotFoundError(`There is no provider ${JSON.stringify(name)}; ${known}`, {
        code: 'provider_not_found',
        provider: name,
      });
    },
    names,
  };
}
