import type { Config } from '../config/index.ts';
import { type ModelKind, timeLimitsFor } from '../domain/time-limits.ts';
import type { Output } from './output.ts';

/** Node's timers cannot last longer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export interface LateNoticeOptions {
  config: Pick<Config, 'operations' | 'files'>;
  output: Pick<Output, 'message'>;
  model: ModelKind | undefined;
}

/**
 * Waits for durable uploads as long as they take, because outages are waited out, and says so once when one has taken longer than a
 * caller's time limit (CLIENT_TIMEOUT_SECONDS) and the time of its bytes at the slowest acceptable rate, to be read and to be sent.
 */
export function createLateNotice({ config, output, model = 'standard' }: LateNoticeOptions) {
  const { operations, files } = config;
  const { clientMs } = timeLimitsFor(operations, operations.multipliers, model);
  let told = false;
  return async <T>(sizeBytes: number, work: () => Promise<T>): Promise<T> => {
    const limitMs = clientMs + (2 * sizeBytes * 1000) / files.minBytesPerSecond;
    const late = () => {
      if (!told)
        output.message(
          `Not done after ${Math.round(limitMs / 100) / 10} s. What was started is safe in Temporal and goes on: if nothing runs, \`npx cutover up\`; if only a worker is missing, \`npx cutover worker\`. Ctrl-C ends the waiting alone.`,
        );
      told = true;
    };
    const timer = setTimeout(late, Math.min(limitMs, LONGEST_TIMER_MS));
    try {
      return await work();
    } finally {
      clearTimeout(timer);
    }
  };
}
