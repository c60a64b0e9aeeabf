import { formatBytes, formatDuration, printable } from '../domain/format.ts';
import { copiesWith, describeCounts, type SweepCount } from '../domain/retention.ts';
import type { SweepItem, SweepRun } from '../ledger/retention-ledger.ts';
import type { Output } from './output.ts';

/** How sweeps are shown to people. */

export async function printTotals(output: Output, { totals, notes, dryRun }: Pick<SweepRun, 'totals' | 'notes' | 'dryRun'>): Promise<void> {
  const lines = describeCounts(totals);
  if (lines.length === 0) await output.data(dryRun ? 'Nothing would be deleted.' : 'Nothing was due.');
  for (const line of lines) await output.data(line);
  for (const note of notes) output.warning(printable(note));
}

/** What happens to it, why, where, how large, what it is. */
export function itemRow({ action, reason, outcome, provider, sizeBytes, name, fileId }: SweepItem): string[] {
  const what = outcome === 'skipped' ? 'skip' : action;
  return [what, reason, provider, formatBytes(sizeBytes), fileId, name ?? '–'];
}
export const ITEM_HEADER = ['WHAT', 'WHY', 'WHERE', 'SIZE', 'FILE', 'NAME'];

export const RUN_HEADER = ['STARTED', 'TOOK', 'STATUS', 'EXPIRED', 'ORPHANED', 'QUOTA', 'PURGED', 'FAILED'];
export function runRow({ startedAt, endedAt, status, dryRun, totals }: SweepRun): string[] {
  const took = endedAt === null ? '–' : formatDuration(Date.parse(endedAt) - Date.parse(startedAt));
  const marked = (reason: SweepCount['reason']) => String(copiesWith(totals, { action: 'mark', reason }));
  const purged = copiesWith(totals, { action: 'purge', outcome: 'done' }) + copiesWith(totals, { action: 'purge', outcome: 'planned' });
  return [
    new Date(startedAt).toISOString().replace(/\.\d+/, ''),
    took,
    dryRun ? `${status} (dry run)` : status,
    ...(['expired', 'orphaned', 'quota'] as const).map(marked),
    String(purged),
    String(copiesWith(totals, { action: 'purge', outcome: 'failed' })),
  ];
}
