import { countOf, formatBytes } from './format.ts';
import type { QuotaUse } from './quota.ts';

/** Why a copy goes: `deleted` is by a person or an application, in their own words. */
export const SWEEP_REASONS = ['expired', 'orphaned', 'quota', 'deleted'] as const;
export type SweepReason = (typeof SWEEP_REASONS)[number];

/** What a sweep is told. Ages are in days, with fractions, and count from the sweep's start by the clock of the database. */
export interface SweepRules {
  /** Files that nobody keeps and nobody has read for so long are marked as deleted. */
  retentionDays: number;
  /** Copies whose upload failed so long ago are. */
  orphanDays: number;
  /** Objects go so long after their copy was marked. */
  graceDays: number;
  /** No file is marked to make room that was read since then. */
  quotaMinAgeDays: number;
  /** Also tries purges again that failed so often that a person should look. */
  includeReview: boolean;
}

/** From which share of a limit on room is made, and down to which. */
export interface QuotaRules {
  start: number;
  target: number;
}

/**
 * - `planned`: a dry run would have done it; `done`; `kept`: somebody holds it again;
 * - `failed`: the provider refused; `skipped`: it cannot be reached from here; `left`: for the next sweep; `begun`: under way.
 */
export const SWEEP_OUTCOMES = ['planned', 'begun', 'done', 'kept', 'failed', 'skipped', 'left'] as const;
export type SweepOutcome = (typeof SWEEP_OUTCOMES)[number];
export type SweepAction = 'mark' | 'purge';

/** So many copies had this done to them, for this reason, with this outcome. */
export interface SweepCount {
  action: SweepAction;
  reason: SweepReason;
  outcome: SweepOutcome;
  copies: number;
  bytes: number;
}

/** Counts of the same kind put together, in the order in which a sweep works. */
export function addCounts(...lists: readonly (readonly SweepCount[])[]): SweepCount[] {
  const sums = new Map<string, SweepCount>();
  for (const count of lists.flat()) {
    const key = `${count.action} ${count.reason} ${count.outcome}`;
    const sum = sums.get(key) ?? { ...count, copies: 0, bytes: 0 };
    sums.set(key, { ...sum, copies: sum.copies + count.copies, bytes: sum.bytes + count.bytes });
  }
  return [...sums.values()].filter(({ copies, bytes }) => copies > 0 || bytes > 0).sort((a, b) => rank(a) - rank(b));
}

const rank = ({ action, reason, outcome }: SweepCount): number =>
  (action === 'mark' ? 0 : 1000) + 100 * SWEEP_REASONS.indexOf(reason) + SWEEP_OUTCOMES.indexOf(outcome);

/** How many copies had this done to them. */
export const copiesWith = (counts: readonly SweepCount[], of: Partial<Pick<SweepCount, 'action' | 'reason' | 'outcome'>>): number =>
  counts
    .filter(
      ({ action, reason, outcome }) =>
        (of.action ?? action) === action && (of.reason ?? reason) === reason && (of.outcome ?? outcome) === outcome,
    )
    .reduce((sum, { copies }) => sum + copies, 0);

export type SweepPhase = 'beginning' | 'expired' | 'orphaned' | 'quota' | 'purge' | 'recording' | 'over';
export type SweepStatus = 'running' | 'paused' | 'stopping' | 'completed' | 'stopped' | 'failed';

/** Where a sweep stands: what the query `status` answers, and what is carried from run to run. */
export interface SweepProgress {
  runId: string;
  dryRun: boolean;
  status: SweepStatus;
  phase: SweepPhase;
  /** Where the phase goes on; null: at its beginning. */
  cursor: string | null;
  pages: number;
  /** While it runs, as the pages told; at the end, as the ledger counts. */
  counts: SweepCount[];
  /** What a person should know: an account that could not be counted, or reached. */
  notes: string[];
  /** Of the last signal. */
  reason: string | null;
  startedAtMs: number;
  updatedAtMs: number;
}

export function startSweep(runId: string, dryRun: boolean, nowMs: number): SweepProgress {
  const at = { startedAtMs: nowMs, updatedAtMs: nowMs };
  return { runId, dryRun, status: 'running', phase: 'beginning', cursor: null, pages: 0, counts: [], notes: [], reason: null, ...at };
}

const ORDER: readonly SweepPhase[] = ['beginning', 'expired', 'orphaned', 'quota', 'purge', 'recording', 'over'];

/** What a page did, and where the next one begins; null: the phase is over. */
export interface SweptPage {
  next: string | null;
  counts: SweepCount[];
  notes?: string[];
  /** It was left before its end: it is to be done again, and then does what is left. */
  again?: boolean;
}

const NOTES = 50;

/** After a page: the same phase goes on with it or behind it, or the next phase begins. */
export function afterPage(progress: SweepProgress, page: SweptPage): SweepProgress {
  const notes = [...new Set([...progress.notes, ...(page.notes ?? [])])].slice(0, NOTES);
  const done = { ...progress, pages: progress.pages + 1, counts: addCounts(progress.counts, page.counts), notes };
  if (page.again === true) return done;
  if (page.next !== null) return { ...done, cursor: page.next };
  return { ...done, cursor: null, phase: ORDER[ORDER.indexOf(progress.phase) + 1] ?? 'over' };
}

/** A limit of an account that is nearly used up, and how much has to go until the target. */
export interface QuotaExcess {
  kind: QuotaUse['kind'];
  purpose: string | null;
  /** Files or bytes. */
  excess: number;
}

export function quotaExcesses(uses: readonly QuotaUse[], { start, target }: QuotaRules): QuotaExcess[] {
  return uses
    .filter(({ used, limit }) => limit > 0 && used >= start * limit)
    .map(({ kind, purpose, used, limit }) => ({ kind, purpose, excess: used - target * limit }))
    .filter(({ excess }) => excess > 0);
}

/** One line for each reason: `expired: 20 copies marked (4.0 KiB), 3 purged`. */
export function describeCounts(counts: readonly SweepCount[]): string[] {
  return SWEEP_REASONS.flatMap((reason) => {
    const of = counts.filter((count) => count.reason === reason && count.copies > 0);
    if (of.length === 0) return [];
    return [`${reason}: ${of.map(describeCount).join(', ')}`];
  });
}

function describeCount({ action, outcome, copies, bytes }: SweepCount): string {
  const size = outcome === 'done' || outcome === 'planned' ? ` (${formatBytes(bytes)})` : '';
  if (action === 'mark')
    return `${countOf(copies, 'copy', 'copies')} ${outcome === 'planned' ? 'would be marked' : 'marked'} as deleted${size}`;
  return `${countOf(copies, 'copy', 'copies')} ${PURGED[outcome]}${size}`;
}
const PURGED: Readonly<Record<SweepOutcome, string>> = {
  planned: 'would be purged',
  begun: 'being purged',
  done: 'purged',
  kept: 'kept, because somebody holds them again',
  failed: 'could not be purged',
  skipped: 'skipped, because they cannot be reached from here',
  left: 'left for the next sweep',
};

const PHASES: Readonly<Record<SweepPhase, string>> = {
  beginning: 'begins',
  expired: 'looks for what has expired',
  orphaned: 'looks for what failed uploads have left',
  quota: 'makes room where an account is nearly full',
  purge: 'deletes objects whose grace is over',
  recording: 'writes down what it did',
  over: 'is over',
};

/** Markdown, for the details in the Temporal UI. */
export function describeSweep({ dryRun, status, phase, counts, notes, reason, pages }: SweepProgress): string {
  const what = dryRun ? 'dry run: changes nothing' : 'sweep';
  const why = reason === null ? '' : ` (${reason})`;
  const where = phase === 'over' ? '' : `, ${PHASES[phase]}`;
  const lines = describeCounts(counts);
  return [
    `**${status}**${why}: ${what}${where}; ${countOf(pages, 'page')} so far`,
    ...(lines.length === 0 ? ['- nothing so far'] : lines.map((line) => `- ${line}`)),
    ...notes.map((note) => `- note: ${note}`),
  ].join('\n\n');
}

/** A sweep may begin late and take its time: for this part of the interval it is not missed. */
const PATIENCE = 0.25;

/** Sweeps that should have come to their end since the last one that did. */
export const sweepsMissed = (lastSuccessMs: number, nowMs: number, intervalMs: number): number =>
  Math.max(0, Math.floor((nowMs - lastSuccessMs) / intervalMs - PATIENCE));

/** The note that a pause of the schedule carries. */
export const steered = (what: 'paused' | 'resumed', by: string, reason?: string): string =>
  `${what} by ${by}${reason === undefined ? '' : `: ${reason}`}`;
