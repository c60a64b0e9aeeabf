import type { CutoverClient } from '../client/cutover-client.ts';
import type { Config } from '../config/index.ts';
import type { Stores } from '../manager/stores.ts';

/** What is opened for one configuration. */
export interface Opened {
  config: Config;
  services: { client(): Promise<CutoverClient>; stores(): Promise<Stores>; close(): Promise<void> };
}

/** What tools act on: the same manager, client and ledger as commands. */
export interface World {
  config(): Config;
  services(): Opened['services'];
  /**
   * Looks at the configuration again, because a server could not be reached: `cutover up` may have been started since, or elsewhere.
   * @returns whether there are other servers now
   */
  reconsider(): boolean;
  close(): Promise<void>;
}

/** @param open reads the configuration and connects nothing yet; throws ConfigError */
export function createWorld(open: () => Opened): World {
  let current = open();
  const opened = [current];
  return {
    config: () => current.config,
    services: () => current.services,
    reconsider() {
      let next: Opened;
      try {
        next = open();
      } catch {
        return false;
      }
      if (sameServers(current.config, next.config)) return false;
      // The old ones stay open: somebody may still wait there.
      current = next;
      opened.push(next);
      return true;
    },
    async close() {
      await Promise.all(opened.map(({ services }) => services.close()));
    },
  };
}

const sameServers = (a: Config, b: Config): boolean => serversOf(a) === serversOf(b);
const serversOf = ({ temporal, supabase }: Config): string => JSON.stringify([temporal, supabase]);
