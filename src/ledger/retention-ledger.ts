import type { EndingCopies } from '../domain/copy-age.ts';
import type { SweepAction, SweepCount, SweepOutcome, SweepReason, SweepRules } from '../domain/retention.ts';

/** A sweep as it is on record. */
export interface SweepRun {
  id: string;
  workflowId: string | null;
  dryRun: boolean;
  rules: SweepRules;
  /** `interrupted`: another one began before it had said how it ended. */
  status: 'running' | 'completed' | 'stopped' | 'failed' | 'interrupted';
  reason: string | null;
  totals: SweepCount[];
  notes: string[];
  /** By the clock of the database, as all times here. */
  startedAt: string;
  endedAt: string | null;
}

/** What a sweep did to one copy. */
export interface SweepItem {
  id: number;
  action: SweepAction;
  reason: SweepReason;
  copyId: string;
  fileId: string;
  provider: string;
  account: string;
  name: string | null;
  sizeBytes: number;
  outcome: SweepOutcome;
  code: string | null;
}

/** A page of a sweep: where the next one begins (null: nowhere), and what this one marked. */
export interface MarkedPage {
  next: string | null;
  copies: number;
  bytes: number;
}

/** A deleted copy whose object may go. */
export interface DuePurge {
  copyId: string;
  fileId: string;
  provider: string;
  account: string;
  reason: SweepReason;
  sizeBytes: number;
}

/** A copy whose object is to be deleted now, by us alone. */
export interface BegunPurge {
  copyId: string;
  provider: string;
  account: string;
  purpose: string;
  namespace: 'live' | 'shadow';
  /** Null where an upload failed before anybody knew it: the object, if there is one, has to be found. */
  providerFileId: string | null;
  sha256: string | null;
  sizeBytes: number | null;
  reason: SweepReason;
}

export interface PurgeResult {
  copyId: string;
  outcome: Extract<SweepOutcome, 'planned' | 'done' | 'failed' | 'skipped' | 'left'>;
  /** Of the error. */
  code: string | null;
}

export interface QuotaRequest {
  provider: string;
  account: string;
  /** Null: the limit is of the whole account. */
  purpose: string | null;
  kind: 'files' | 'bytes';
  /** So many files or bytes are too many; what is marked already is taken off by the ledger. */
  excess: number;
}

export interface RetentionState {
  now: string;
  /** Copies whose purge failed so often that a person should look. */
  inReview: number;
  /** Copies that are marked as deleted and not purged yet. */
  waiting: number;
  lastSuccess: SweepRun | null;
}

export interface FileHold {
  hold: boolean;
  reason: string | null;
  setBy: string;
  at: string;
}

/**
 * What a sweep asks and tells. Each page decides and marks in one transaction, under locks that every upload, reference and hold takes,
 * too: what is being sent or begins to be is never touched. Every call may be made again: each copy is counted once for a run.
 * Errors as of `Ledger`; FileNotFoundError `sweep_not_found`.
 */
export interface RetentionLedger {
  /** @throws ValidationError `invalid_rules` */
  beginSweep(sweep: { runId: string; workflowId: string | null; dryRun: boolean; rules: SweepRules }): Promise<SweepRun>;
  /** Looks at the next `limit` files. */
  sweepExpired(runId: string, after: string | null, limit: number): Promise<MarkedPage>;
  /** Looks at the next `limit` copies that are not complete, or a comparison's. */
  sweepOrphaned(runId: string, after: string | null, limit: number): Promise<MarkedPage>;
  /**
   * Looks at the next `limit` copies that their provider drops, what ends first in front. Marks those that have this share of their life
   * there behind them, or all of it, and that nobody keeps or has just read; `kept`: the others of these.
   */
  sweepEnding(runId: string, share: number, after: string | null, limit: number): Promise<MarkedPage & { kept: EndingCopies[] }>;
  /** Marks at most `limit` copies; `short`: so many files or bytes are too many still. */
  sweepQuota(runId: string, request: QuotaRequest, limit: number): Promise<{ copies: number; bytes: number; short: number }>;
  /** Of the next `limit` deleted copies those that are due. Reads only. */
  duePurges(runId: string, owner: string, after: string | null, limit: number): Promise<{ next: string | null; copies: DuePurge[] }>;
  /** `closed`: the object goes (or stays) with another copy. */
  beginPurges(
    runId: string,
    copyIds: readonly string[],
    owner: string,
    leaseSeconds: number,
  ): Promise<{ begun: BegunPurge[]; closed: number; kept: number }>;
  /** Whether a completed copy of the same content at the same provider has this object, in whatever account, and is not purged. */
  standsOn(copyId: string, objectId: string): Promise<boolean>;
  endPurges(runId: string, owner: string, results: readonly PurgeResult[]): Promise<void>;
  endSweep(
    runId: string,
    end: { status: 'completed' | 'stopped' | 'failed'; reason: string | null; notes: readonly string[] },
  ): Promise<SweepRun>;

  /** The newest first. */
  sweeps(limit: number): Promise<SweepRun[]>;
  /** In the order in which it was done; `after` is the last one's id. */
  sweepItems(runId: string, page: { after: number | null; limit: number }): Promise<SweepItem[]>;
  retentionState(): Promise<RetentionState>;
  /** Share of its life at its provider, 0 to 1, that the oldest copy of each account has behind it; 0 where none there ever ends. */
  copyAges(accounts: readonly { provider: string; account: string }[]): Promise<{ provider: string; share: number }[]>;

  /** `copies`: 0 where nothing is there to hold; `purging`: of these the object is being deleted, and cannot be held any more. */
  holdFile(
    fileId: string,
    hold: boolean,
    why: { reason: string | null; by: string },
  ): Promise<{ fileId: string; copies: number; purging: number }>;
  /** The oldest first. */
  fileHolds(fileId: string): Promise<FileHold[]>;
}
