/** A durable run that goes through something page by page: what its workflow carries from run to run, and what `status` answers. */
export interface PagedRun {
  phase: 'checking' | 'running' | 'paused' | 'cancelling' | 'done' | 'cancelled';
  /** Why it is paused or cancelled, as the operator said. */
  reason: string | null;
  /** Pages so far. */
  pages: number;
  /** Runs of the workflow so far: it continues as new, so that its history stays short. */
  runs: number;
  startedAtMs: number;
  updatedAtMs: number;
}

export const startPagedRun = (nowMs: number): PagedRun => ({
  ...{ phase: 'checking', reason: null, pages: 0, runs: 1, startedAtMs: nowMs, updatedAtMs: nowMs },
});

/** The first line of what the Temporal UI shows, in Markdown. */
export const describePhase = ({ phase, reason }: Pick<PagedRun, 'phase' | 'reason'>): string =>
  `**${phase}**${reason === null ? '' : `: ${reason}`}`;

/** Counts under names, added up. */
export function addCounts<K extends string>(a: Readonly<Record<K, number>>, b: Readonly<Partial<Record<K, number>>>): Record<K, number> {
  const sum: Record<K, number> = { ...a };
  for (const [name, count] of Object.entries(b) as [K, number][]) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}
