import type { CutoverClient } from '../client/cutover-client.ts';
import type { Config } from '../config/index.ts';
import type { Stores } from '../manager/stores.ts';

/** The world that commands act on, opened when one asks for it: `cutover config` needs no server. */
export interface Services {
  client(): Promise<CutoverClient>;
  stores(): Promise<Stores>;
  close(): Promise<void>;
}

/** The real ones. Loaded late, so that `cutover --help` does not wait for Temporal's client. */
export function openServices(config: () => Config): Services {
  let client: ReturnType<Services['client']> | undefined;
  let stores: ReturnType<Services['stores']> | undefined;
  return {
    client() {
      client ??= import('../client/cutover-client.ts')
        .then(({ connectClient }) => connectClient(config()))
        .catch((error: unknown) => {
          // Whoever asks later may find the server there.
          client = undefined;
          throw error;
        });
      return client;
    },
    stores() {
      stores ??= import('../manager/stores.ts').then(({ connectStores }) => connectStores(config()));
      return stores;
    },
    async close() {
      await client?.then(
        (opened) => opened.close(),
        () => undefined,
      );
    },
  };
}

/**
 * Refuses an unknown provider before anything is started. Where only Temporal is known here, the workers find out.
 * @throws ProviderNotFoundError
 */
export async function requireProvider({ config, services }: { config(): Config; services(): Services }, name: string): Promise<void> {
  if (config().supabase.url !== null) (await services().stores()).provider(name);
}
