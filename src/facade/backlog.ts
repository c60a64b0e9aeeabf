import { setTimeout as sleep } from 'node:timers/promises';

/** One start is a few hundred bytes. */
const MAX = 10_000;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;

export interface Backlog {
  /** Never waits. False: there was no room, and it is dropped. */
  add(task: () => Promise<void>): boolean;
  readonly dropped: number;
  /** Until those that wait were tried once more. */
  close(): Promise<void>;
}

/** Does one thing after the other, in their order, each until it succeeds: the newest word about a file must not be overtaken. */
export function createBacklog({
  onTrouble,
  max = MAX,
  firstRetryMs = FIRST_RETRY_MS,
}: {
  onTrouble?: (error: unknown) => void;
  max?: number;
  firstRetryMs?: number;
} = {}): Backlog {
  const tasks: (() => Promise<void>)[] = [];
  const closing = new AbortController();
  let dropped = 0;
  let working: Promise<void> | null = null;

  async function work(): Promise<void> {
    let wait = firstRetryMs;
    for (let task = tasks[0]; task !== undefined; task = tasks[0]) {
      try {
        await task();
        tasks.shift();
        wait = firstRetryMs;
      } catch (error) {
        onTrouble?.(error);
        if (closing.signal.aborted) return give(tasks.length);
        // Waiting keeps no program alive.
        await sleep(wait, undefined, { signal: closing.signal, ref: false }).catch(() => undefined);
        wait = Math.min(LONGEST_RETRY_MS, wait * 2);
      }
    }
  }
  const give = (count: number): void => {
    dropped += count;
    tasks.length = 0;
  };
  const begin = (): void => {
    working ??= work().finally(() => {
      working = null;
      if (tasks.length > 0) begin();
    });
  };
  return {
    add(task) {
      if (tasks.length >= max) {
        dropped += 1;
        return false;
      }
      tasks.push(task);
      begin();
      return true;
    },
    get dropped() {
      return dropped;
    },
    async close() {
      closing.abort();
      await working;
    },
  };
}
