import { randomUUID } from 'node:crypto';
import { createOutcomeCounter, type Outcome, type OutcomeCounts } from '../domain/outcome-counts.ts';
import type { RolloutLedger } from '../ledger/rollout-ledger.ts';

const FLUSH_MS = 2_000;
/** Batches that wait for the ledger to come back: a row is a minute of a tool's arm, so this is days. */
const MAX_ROWS = 10_000;

export interface OutcomeRecorder {
  /** Never waits, never throws. */
  record(outcome: Outcome): void;
  /** Outcomes that were dropped because the ledger was away for too long. */
  readonly dropped: number;
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface RecorderOptions {
  ledger: Pick<RolloutLedger, 'recordOutcomes'>;
  onTrouble?: (error: unknown) => void;
  /** Told of each outcome that is dropped. */
  onDropped?: () => void;
  flushMs?: number;
  maxRows?: number;
}

/** Counts outcomes and writes them in batches, off the caller's path. A batch whose answer was lost is sent again as the same. */
export function recordOutcomes({ ledger, onTrouble, onDropped, flushMs = FLUSH_MS, maxRows = MAX_ROWS }: RecorderOptions): OutcomeRecorder {
  const counter = createOutcomeCounter(maxRows);
  let waiting: { id: string; rows: OutcomeCounts[] } | null = null;
  let writing: Promise<void> = Promise.resolve();

  async function write(): Promise<void> {
    for (;;) {
      if (waiting === null) {
        const rows = counter.take();
        if (rows.length === 0) return;
        waiting = { id: randomUUID(), rows };
      }
      try {
        await ledger.recordOutcomes(waiting.id, waiting.rows);
        waiting = null;
      } catch (error) {
        onTrouble?.(error);
        return;
      }
    }
  }
  const flush = () => {
    writing = writing.then(write);
    return writing;
  };
  const timer = setInterval(() => void flush(), flushMs);
  timer.unref();
  return {
    record(outcome) {
      const before = counter.dropped;
      counter.add(outcome);
      if (counter.dropped > before) onDropped?.();
    },
    get dropped() {
      return counter.dropped;
    },
    flush,
    async close() {
      clearInterval(timer);
      await flush();
    },
  };
}
