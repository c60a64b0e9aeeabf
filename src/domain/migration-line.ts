import { formatBytes, formatCount, formatDuration, formatRate } from './format.ts';
import { filesDone, type MigrationState } from './migration.ts';
import { remainingMs, type Sample, speed } from './progress-estimate.ts';

/** What the whole source holds, once it has been counted. */
export interface Expected {
  files: number;
  bytes: number;
}

/** One line about a migration: what is done, how fast, how long still. */
export function progressLine(state: MigrationState, samples: readonly Sample[], expected: Expected | null): string {
  const { totals } = state;
  const done = filesDone(totals);
  const bytes = totals.uploadedBytes + totals.deduplicatedBytes;
  const all = state.exhausted ? { files: totals.listed, bytes: totals.listedBytes } : expected;
  const now = speed(samples);
  const left = all === null ? null : { files: Math.max(0, all.files - done), bytes: Math.max(0, all.bytes - bytes) };
  const eta = now === null || left === null || state.phase === 'paused' ? null : remainingMs(now, left);
  const parts = [
    `${formatCount(done)}/${formatCount(all?.files ?? totals.listed)}${all === null ? '+' : ''} files`,
    all === null ? formatBytes(bytes) : `${formatBytes(bytes)}/${formatBytes(all.bytes)}`,
    now === null ? '' : `${formatRate(now.bytesPerSecond)}, ${now.filesPerSecond.toFixed(1)} files/s`,
    eta === null || left?.files === 0 ? '' : `${formatDuration(eta)} left`,
    `${formatCount(totals.deduplicated)} there already`,
    `${formatCount(totals.failed)} failed`,
    state.phase === 'copying' ? '' : state.phase,
  ];
  return parts.filter((part) => part !== '').join(' · ');
}
