import { countOf, formatBytes, formatCount, formatDuration, formatRate, printable } from './format.ts';
import type { MigrationState } from './migration.ts';

/** The state without what is of use only to the workflow itself. */
export function outcomeOf({ phase, reason, totals, failures, startedAtMs, updatedAtMs }: MigrationState) {
  return { phase, reason, totals, failures, startedAt: new Date(startedAtMs).toISOString(), elapsedMs: updatedAtMs - startedAtMs };
}

/** What a person reads at the end. */
export function summaryOf(state: MigrationState, id: string): string[] {
  const { totals, phase, reason, failures } = state;
  const elapsedMs = Math.max(1, state.updatedAtMs - state.startedAtMs);
  const row = (label: string, count: number, rest = ''): string =>
    `  ${label.padEnd(16)}${formatCount(count).padStart(9)}${rest === '' ? '' : `  ${rest}`}`;
  const lines = [
    `Migration ${id} ${phase}${reason === null ? '' : ` (${printable(reason)})`}: ${countOf(totals.listed, 'file')}, ${formatBytes(totals.listedBytes)} in ${formatDuration(elapsedMs)}`,
    row(
      'uploaded',
      totals.uploaded,
      totals.uploaded === 0 ? '' : `${formatBytes(totals.uploadedBytes)}, ${formatRate((totals.uploadedBytes / elapsedMs) * 1000)}`,
    ),
    row('there already', totals.deduplicated, formatBytes(totals.deduplicatedBytes)),
    ...(totals.verifiedStored > 0 ? [row('verified', totals.verifiedStored, 'by the size and hash on record')] : []),
    ...(totals.verifiedDownload > 0 ? [row('verified', totals.verifiedDownload, 'read back and hashed again')] : []),
    row('failed', totals.failed),
    ...(totals.skipped > 0 ? [row('skipped', totals.skipped, 'not files: links to folders, sockets and the like')] : []),
    ...(totals.cancelled > 0 ? [row('cancelled', totals.cancelled)] : []),
  ];
  if (phase === 'done' && totals.uploaded === 0 && totals.deduplicated > 0)
    lines.push(`Nothing was uploaded: ${countOf(totals.deduplicated, 'file was', 'files were')} there already.`);
  for (const { path, error } of failures) lines.push(`  ${printable(path)}: ${printable(error)}`);
  if (totals.failed > failures.length) lines.push(`  … and ${countOf(totals.failed - failures.length, 'more failure')}`);
  if (totals.failed > 0) lines.push(`All of them: npx cutover migrate --attach ${id} --report failures.csv`);
  return lines;
}
