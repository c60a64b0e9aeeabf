import type { ModelKind } from '../domain/time-limits.ts';
import type { GuardedProvider } from '../providers/guard.ts';
import type { Provider } from '../providers/provider.ts';

/** Gives a provider by its name, whose small calls take as long as this kind of model allows. Throws ProviderNotFoundError. */
export type ProvidersFor = (model: ModelKind | undefined) => (name: string) => Provider;

export interface ProvidersForOptions {
  /** The one that everybody knows, with the limits of a standard model. Throws ProviderNotFoundError. */
  provider: (name: string) => GuardedProvider;
  /** The configured ones with the limits of this kind, without a guard. */
  make: (model: ModelKind) => readonly Provider[];
}

/** The same accounts behind the same guards, with other time limits. Most programs never ask for a kind: each is made when it is first asked for. */
export function createProvidersFor({ provider, make }: ProvidersForOptions): ProvidersFor {
  const made = new Map<ModelKind, ReadonlyMap<string, Provider>>();
  function ofKind(model: ModelKind): ReadonlyMap<string, Provider> {
    const known = made.get(model);
    if (known !== undefined) return known;
    const providers = new Map(make(model).map((one) => [one.name, provider(one.name).around(one)]));
    made.set(model, providers);
    return providers;
  }
  // A name that is not there is refused by whoever knows those that are.
  return (model = 'standard') => (model === 'standard' ? provider : (name) => ofKind(model).get(name) ?? provider(name));
}
