import type { MigrationItem } from './models.ts';

/** Counts of files and bytes of a migration so far. */
export interface MigrationTotals {
  listed: number;
  listedBytes: number;
  uploaded: number;
  uploadedBytes: number;
  deduplicated: number;
  deduplicatedBytes: number;
  failed: number;
  cancelled: number;
  skipped: number;
  /** Files whose stored copy was checked by the size and hash on record. */
  verifiedStored: number;
  /** Files whose stored copy was read back and hashed again. */
  verifiedDownload: number;
}

const NO_TOTALS: MigrationTotals = {
  listed: 0,
  listedBytes: 0,
  uploaded: 0,
  uploadedBytes: 0,
  deduplicated: 0,
  deduplicatedBytes: 0,
  failed: 0,
  cancelled: 0,
  skipped: 0,
  verifiedStored: 0,
  verifiedDownload: 0,
};

/** `done` may have failed files: see the totals. */
export type MigrationPhase = 'checking' | 'copying' | 'paused' | 'cancelling' | 'done' | 'cancelled';

/** An upload that was still going on when a run of the workflow ended. */
export interface CarriedUpload {
  workflowId: string;
  path: string;
  sizeBytes: number;
  /** Where it came from a provider: which, and its id there. */
  sourceProvider?: string | null;
  sourceId?: string | null;
}

/** All that one run of the workflow hands to the next, and what the query `status` answers. */
export interface MigrationState {
  phase: MigrationPhase;
  /** Why it is paused or cancelled, as the operator said. */
  reason: string | null;
  totals: MigrationTotals;
  running: number;
  /** Where the listing goes on; null at the start. */
  cursor: string | null;
  /** Whether the source was listed to its end. */
  exhausted: boolean;
  startedAtMs: number;
  updatedAtMs: number;
  /** Runs of the workflow so far: it continues as new, so that its history stays short. */
  runs: number;
  /** Handed over at the end of a run: the next one waits for them. */
  carried: CarriedUpload[];
  /** The first few failures, for people; all of them are in the ledger. */
  failures: { path: string; error: string }[];
}

/** How many failures are shown to people; all of them are in the ledger. */
const FAILURES_SHOWN = 5;

export function startMigration(nowMs: number): MigrationState {
  return {
    phase: 'checking',
    reason: null,
    totals: NO_TOTALS,
    running: 0,
    cursor: null,
    exhausted: false,
    startedAtMs: nowMs,
    updatedAtMs: nowMs,
    runs: 1,
    carried: [],
    failures: [],
  };
}

export function filesDone(totals: MigrationTotals): number {
  return totals.uploaded + totals.deduplicated + totals.failed + totals.cancelled + totals.skipped;
}

/** The state after a page was listed. */
export function withPage(state: MigrationState, page: { items: readonly { sizeBytes: number }[]; next: string | null }): MigrationState {
  const bytes = page.items.reduce((sum, item) => sum + item.sizeBytes, 0);
  const totals = { ...state.totals, listed: state.totals.listed + page.items.length, listedBytes: state.totals.listedBytes + bytes };
  return { ...state, totals, cursor: page.next, exhausted: page.next === null };
}

/** The state after one more file has ended. */
export function withItem(state: MigrationState, item: MigrationItem): MigrationState {
  const totals = { ...state.totals, [item.status]: state.totals[item.status] + 1 };
  if (item.status === 'uploaded') totals.uploadedBytes += item.sizeBytes;
  if (item.status === 'deduplicated') totals.deduplicatedBytes += item.sizeBytes;
  if (item.verified === 'stored') totals.verifiedStored += 1;
  if (item.verified === 'download') totals.verifiedDownload += 1;
  const shown = item.status === 'failed' && state.failures.length < FAILURES_SHOWN;
  return { ...state, totals, failures: shown ? [...state.failures, { path: item.path, error: item.error ?? '' }] : state.failures };
}

/** What the Temporal UI shows while it runs, in Markdown. */
export function describeMigration(state: MigrationState): string {
  const { totals } = state;
  const reason = state.reason === null ? '' : `: ${state.reason}`;
  const of = state.exhausted ? `${totals.listed}` : `${totals.listed} listed so far`;
  const lines = [
    `**${state.phase}**${reason}`,
    `${filesDone(totals)} of ${of} files done, ${state.running} running`,
    `${totals.uploaded} uploaded (${totals.uploadedBytes} bytes), ${totals.deduplicated} already there, ${totals.failed} failed, ${totals.skipped} skipped`,
    ...state.failures.map(({ path, error }) => `- ${JSON.stringify(path)}: ${error}`),
  ];
  return lines.join('\n\n');
}
