import { z } from 'zod';
import type { MigrationItem } from './models.ts';

/** Counts of files and bytes of a migration so far. */
export const MigrationTotals = z.object({
  listed: z.number(),
  listedBytes: z.number(),
  uploaded: z.number(),
  uploadedBytes: z.number(),
  deduplicated: z.number(),
  deduplicatedBytes: z.number(),
  failed: z.number(),
  cancelled: z.number(),
  skipped: z.number(),
});
export type MigrationTotals = z.infer<typeof MigrationTotals>;

export const NO_TOTALS: MigrationTotals = {
  listed: 0,
  listedBytes: 0,
  uploaded: 0,
  uploadedBytes: 0,
  deduplicated: 0,
  deduplicatedBytes: 0,
  failed: 0,
  cancelled: 0,
  skipped: 0,
};

export const MigrationPhase = z.enum(['checking', 'copying', 'paused', 'cancelling', 'done', 'cancelled']);
export type MigrationPhase = z.infer<typeof MigrationPhase>;

/** All that one run of the workflow hands to the next, and what the query `status` answers. */
export const MigrationState = z.object({
  phase: MigrationPhase,
  /** Why it is paused or cancelled, as the operator said. */
  reason: z.string().nullable(),
  totals: MigrationTotals,
  running: z.number(),
  /** Where the listing goes on; null at the start. */
  cursor: z.string().nullable(),
  /** Whether the source was listed to its end. */
  exhausted: z.boolean(),
  startedAtMs: z.number(),
  updatedAtMs: z.number(),
  /** The first few failures, for people; all of them are in the ledger. */
  failures: z.array(z.object({ path: z.string(), error: z.string() })),
});
export type MigrationState = z.infer<typeof MigrationState>;

export const FAILURES_SHOWN = 5;

export function filesDone(totals: MigrationTotals): number {
  return totals.uploaded + totals.deduplicated + totals.failed + totals.cancelled + totals.skipped;
}

/** The totals after one more file has ended. */
export function countItem(totals: MigrationTotals, item: Pick<MigrationItem, 'status' | 'sizeBytes'>): MigrationTotals {
  const next = { ...totals, [item.status]: totals[item.status] + 1 };
  if (item.status === 'uploaded') next.uploadedBytes += item.sizeBytes;
  if (item.status === 'deduplicated') next.deduplicatedBytes += item.sizeBytes;
  return next;
}
