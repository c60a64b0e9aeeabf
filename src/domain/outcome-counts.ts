/** Counts of operations by tool, arm, step and minute, as they are written to the ledger: only sums, so that batches can be added. */

export interface Outcome {
  tool: string;
  arm: 'legacy' | 'unified';
  /** Of the tool's rollout when it was done. */
  step: number;
  /** The error's code; null: it went well. What legacy answered instead counts as the candidate's failure. */
  code: string | null;
  ms: number;
  atMs: number;
}

export interface OutcomeCounts {
  tool: string;
  arm: 'legacy' | 'unified';
  step: number;
  /** The start of the minute, ISO 8601 in UTC. */
  minute: string;
  count: number;
  failures: Record<string, number>;
  /** Operations by the upper bound of their bucket in ms. */
  latency: Record<string, number>;
}

/** Upper bounds in ms, of which each is about twice the one before: from 10 ms to 10 min. */
export const LATENCY_BOUNDS = [10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000] as const;

const MINUTE = 60_000;

/**
 * Collects outcomes between two writes. Bounded: a row stands for a minute, and where there are more rows than `maxRows` (the ledger
 * was away for long), outcomes are dropped and counted.
 */
export function createOutcomeCounter(maxRows = 10_000) {
  let rows = new Map<string, OutcomeCounts>();
  let dropped = 0;
  /** The row of the last outcome, and the time of its minute in ms: most often it is that of the next one, too. */
  let last: { row: OutcomeCounts; minute: number } | null = null;

  /** Null where there is no room for one more. */
  function rowOf(minute: number, { tool, arm, step }: Outcome): OutcomeCounts | null {
    if (last?.minute === minute && last.row.step === step && last.row.arm === arm && last.row.tool === tool) return last.row;
    const key = `${minute} ${step} ${arm} ${tool}`;
    let row = rows.get(key);
    if (row === undefined) {
      if (rows.size >= maxRows) return null;
      row = { tool, arm, step, minute: new Date(minute).toISOString(), count: 0, failures: {}, latency: {} };
      rows.set(key, row);
    }
    last = { row, minute };
    return row;
  }
  return {
    add(outcome: Outcome): void {
      const { code, ms, atMs } = outcome;
      const row = rowOf(Math.floor(atMs / MINUTE) * MINUTE, outcome);
      if (row === null) {
        dropped += 1;
        return;
      }
      row.count += 1;
      if (code !== null) row.failures[code] = (row.failures[code] ?? 0) + 1;
      const bound = boundOf(ms);
      row.latency[bound] = (row.latency[bound] ?? 0) + 1;
    },
    /** All rows so far; from now on it counts anew. */
    take(): OutcomeCounts[] {
      const taken = [...rows.values()];
      rows = new Map();
      last = null;
      return taken;
    },
    get size(): number {
      return rows.size;
    },
    /** Outcomes that found no room, since the start. */
    get dropped(): number {
      return dropped;
    },
  };
}

const BOUND_NAMES = LATENCY_BOUNDS.map(String);

/** Nothing is allocated: it is on the way of every upload. */
function boundOf(ms: number): string {
  let at = 0;
  while (at < LATENCY_BOUNDS.length && ms > (LATENCY_BOUNDS[at] as number)) at += 1;
  return BOUND_NAMES[at] ?? '+Inf';
}

/** The share of a histogram's operations that a bound covers, as a quantile in ms: the upper bound of the bucket where it falls. */
export function quantileMs(latency: Readonly<Record<string, number>>, quantile: number): number | null {
  const total = Object.values(latency).reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  let seen = 0;
  for (const bound of LATENCY_BOUNDS) {
    seen += latency[bound] ?? 0;
    if (seen >= quantile * total) return bound;
  }
  return Number.POSITIVE_INFINITY;
}
