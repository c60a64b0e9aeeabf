import { setTimeout as sleep } from 'node:timers/promises';
import type { Done } from './facade.ts';

export interface Followers {
  follow(done: Done): Promise<void>;
  /** Until those that look on now are done, and no longer than `ms`. */
  settled(ms: number): Promise<void>;
}

/** All look on at once, and the file stays until the last of them is done. */
export function createFollowers(...followers: readonly ((done: Done) => Promise<void>)[]): Followers {
  const running = new Set<Promise<unknown>>();
  return {
    async follow(done) {
      const all = Promise.allSettled(followers.map((follow) => follow(done)));
      running.add(all);
      const ended = await all;
      running.delete(all);
      for (const each of ended) if (each.status === 'rejected') throw each.reason;
    },
    async settled(ms) {
      const waiting = new AbortController();
      const late = sleep(ms, undefined, { signal: waiting.signal }).catch(() => undefined);
      await Promise.race([Promise.all(running), late]);
      waiting.abort();
    },
  };
}
