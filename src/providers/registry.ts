import { ProviderNotFoundError } from '../domain/errors.ts';

/** A provider that could be there, and what to set for it. */
export interface Unconfigured {
  name: string;
  variable: string;
}

export interface ProviderRegistry<P> {
  /** Throws ProviderNotFoundError `provider_not_configured`, which names the variable to set, or `provider_not_found`, which lists those there are. */
  get(name: string): P;
  /** By name. */
  all(): P[];
  unconfigured(): readonly Unconfigured[];
}

/** The providers that are configured, by name, and those that are not. */
export function createRegistry<P extends { name: string }>(
  providers: readonly P[],
  unconfigured: readonly Unconfigured[] = [],
): ProviderRegistry<P> {
  const byName = new Map(providers.map((provider) => [provider.name, provider]));
  const all = () => [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    get(name) {
      const provider = byName.get(name);
      if (provider !== undefined) return provider;
      const known =
        byName.size === 0
          ? 'none is configured'
          : `there are: ${all()
              .map((each) => each.name)
              .join(', ')}`;
      const missing = unconfigured.find((each) => each.name === name);
      if (missing !== undefined)
        throw new ProviderNotFoundError(`The provider ${name} is not configured: set ${missing.variable} (${known})`, {
          code: 'provider_not_configured',
          provider: name,
        });
      const possible = unconfigured.length === 0 ? '' : `; with a key also: ${unconfigured.map((each) => each.name).join(', ')}`;
      throw new ProviderNotFoundError(`There is no provider ${JSON.stringify(name)}; ${known}${possible}`, {
        code: 'provider_not_found',
        provider: name,
      });
    },
    all,
    unconfigured: () => unconfigured,
  };
}
