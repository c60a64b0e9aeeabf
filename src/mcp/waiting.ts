import { z } from 'zod';
import { formatDuration } from '../domain/format.ts';
import { unlessAborted } from '../manager/waiting.ts';
import type { Call } from './tool.ts';

/** Clients give a call up after a minute unless they are told that it goes on. */
const WAIT_SECONDS = 45;
/** How often a client hears that something goes on. */
const TELL_EVERY_MS = 5_000;

export const waitSeconds = z
  .int()
  .min(1)
  .max(3600)
  .default(WAIT_SECONDS)
  .describe('how long to wait for the end; after that the answer says `running`, and the work goes on');

/**
 * Waits for durable work that says nothing of itself, at most so long. Null: it goes on without us.
 * @param run need not end when its signal aborts: a server that takes a request and answers nothing is not waited for either
 */
export async function waitFor<T>(seconds: number, call: Call, what: string, run: (signal: AbortSignal) => Promise<T>): Promise<T | null> {
  const over = new AbortController();
  const begun = performance.now();
  const timer = setTimeout(() => over.abort(), seconds * 1000);
  const telling = setInterval(() => call.progress(`${what}: for ${formatDuration(performance.now() - begun)}`), TELL_EVERY_MS);
  try {
    const signal = AbortSignal.any([call.signal, over.signal]);
    return await unlessAborted(run(signal), signal);
  } catch (error) {
    if (over.signal.aborted && !call.signal.aborted) return null;
    throw error;
  } finally {
    clearTimeout(timer);
    clearInterval(telling);
  }
}

/** Tells what is new, and at least every few seconds that it goes on. */
export function tellingProgress<S>(call: Call, lineOf: (state: S) => string): { show(state: S): void; end(): void } {
  let last = '';
  let toldMs = Number.NEGATIVE_INFINITY;
  return {
    show(state) {
      const line = lineOf(state);
      if (line === last && performance.now() - toldMs < TELL_EVERY_MS) return;
      last = line;
      toldMs = performance.now();
      call.progress(line);
    },
    end: () => undefined,
  };
}
