import { addCounts, describePhase, type PagedRun, startPagedRun } from './paged-run.ts';

/** Which files are read, and where. `runId` names what became of them in the ledger. */
export interface BackfillOrder {
  runId: string;
  /** The storage and its bucket in which `storage_path` is the key. */
  provider: string;
  bucket: string;
  batchSize: number;
  /** Says what would be recorded, and records nothing of the files. */
  dryRun: boolean;
}

/** `already_hashed`: somebody else recorded it meanwhile. `duplicate`: the same content as an earlier file, to which it points from now on. */
export const BACKFILL_OUTCOMES = ['hashed', 'already_hashed', 'duplicate', 'unreadable'] as const;
export type BackfillOutcome = (typeof BACKFILL_OUTCOMES)[number];

/** One line of a backfill's report. */
export interface BackfillItem {
  fileId: string;
  outcome: BackfillOutcome;
  storagePath: string | null;
  name: string | null;
  sizeBytes: number | null;
  sha256: string | null;
  duplicateOf: string | null;
  errorCode: string | null;
  error: string | null;
}

export const BACKFILL_COLUMNS = [
  'fileId',
  'outcome',
  'storagePath',
  'name',
  'sizeBytes',
  'sha256',
  'duplicateOf',
  'errorCode',
  'error',
] as const satisfies readonly (keyof BackfillItem)[];

export interface BackfillState extends PagedRun {
  dryRun: boolean;
  /** As it was counted at the start. */
  before: { hashed: number; unhashed: number; duplicates: number } | null;
  outcomes: Record<BackfillOutcome, number>;
  bytes: number;
  /** How many could not be read, by the code that says why. */
  reasons: Record<string, number>;
  /** The last file that was looked at. */
  cursor: string | null;
  exhausted: boolean;
}

export interface BackfillPage {
  outcomes: Partial<Record<BackfillOutcome, number>>;
  bytes: number;
  reasons: Record<string, number>;
  next: string | null;
}

export const startBackfill = (nowMs: number, dryRun: boolean): BackfillState => ({
  ...startPagedRun(nowMs),
  dryRun,
  ...{ before: null, outcomes: { hashed: 0, already_hashed: 0, duplicate: 0, unreadable: 0 }, bytes: 0, reasons: {} },
  ...{ cursor: null, exhausted: false },
});

/** The state behind a batch. */
export const withBackfillPage = (state: BackfillState, { outcomes, bytes, reasons, next }: BackfillPage): BackfillState => ({
  ...state,
  pages: state.pages + 1,
  outcomes: addCounts(state.outcomes, outcomes),
  bytes: state.bytes + bytes,
  reasons: addCounts(state.reasons, reasons),
  cursor: next ?? state.cursor,
  exhausted: next === null,
});

export const filesSeen = ({ outcomes }: Pick<BackfillState, 'outcomes'>): number =>
  outcomes.hashed + outcomes.already_hashed + outcomes.duplicate + outcomes.unreadable;

/** What the Temporal UI shows while it runs, in Markdown. */
export function describeBackfill(state: BackfillState): string {
  const { outcomes, before, bytes, reasons, dryRun } = state;
  return [
    `${describePhase(state)}${dryRun ? ' (dry run: nothing is recorded)' : ''}`,
    `${filesSeen(state)} of ${before?.unhashed ?? '?'} files without a hash, ${bytes} bytes read`,
    `${outcomes.hashed} hashed, ${outcomes.duplicate} duplicates, ${outcomes.already_hashed} hashed by others meanwhile, ${outcomes.unreadable} unreadable`,
    ...Object.entries(reasons).map(([code, count]) => `- ${code}: ${count}`),
  ].join('\n\n');
}
