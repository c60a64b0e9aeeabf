import { setTimeout as sleep } from 'node:timers/promises';
import { atOnce } from '../manager/at-once.ts';

/** One start is a few hundred bytes. */
const MAX = 10_000;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;
const CLEARED_AT_ONCE = 10;
/** A stop is not held up by a storage that does not answer. */
const CLEAR_MS = 5_000;

export interface WhenDropped {
  /** At once, for each. */
  tell(): void;
  /** Removes what was laid there for it. */
  clear(): Promise<void>;
}

export interface Backlog {
  /** Never waits. @param whenDropped where there is no room, or no time any more */
  add(task: () => Promise<void>, whenDropped?: WhenDropped): void;
  readonly dropped: number;
  /** Until those that wait were tried once more, and what was dropped is cleared up. */
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
  interface Task {
    run(): Promise<void>;
    whenDropped: WhenDropped | undefined;
  }
  const tasks: Task[] = [];
  const closing = new AbortController();
  let dropped = 0;
  let working: Promise<void> | null = null;
  const clearing = new Set<Promise<unknown>>();

  async function work(): Promise<void> {
    let wait = firstRetryMs;
    for (let task = tasks[0]; task !== undefined; task = tasks[0]) {
      try {
        await task.run();
        tasks.shift();
        wait = firstRetryMs;
      } catch (error) {
        onTrouble?.(error);
        if (closing.signal.aborted) return drop(tasks.splice(0));
        // Waiting keeps no program alive.
        await sleep(wait, undefined, { signal: closing.signal, ref: false }).catch(() => undefined);
        wait = Math.min(LONGEST_RETRY_MS, wait * 2);
      }
    }
  }
  function drop(lost: readonly Task[]): void {
    dropped += lost.length;
    for (const { whenDropped } of lost) whenDropped?.tell();
    const cleared = atOnce(lost, CLEARED_AT_ONCE, async ({ whenDropped }) => await whenDropped?.clear().catch(onTrouble));
    clearing.add(cleared);
    void cleared.finally(() => clearing.delete(cleared));
  }
  const begin = (): void => {
    working ??= work().finally(() => {
      working = null;
      if (tasks.length > 0) begin();
    });
  };
  return {
    add(run, whenDropped) {
      if (tasks.length >= max) return drop([{ run, whenDropped }]);
      tasks.push({ run, whenDropped });
      begin();
    },
    get dropped() {
      return dropped;
    },
    async close() {
      closing.abort();
      await working;
      await Promise.race([Promise.all(clearing), sleep(CLEAR_MS, undefined, { ref: false })]);
    },
  };
}
