import { z } from 'zod';
import type { EndingCopies } from '../domain/copy-age.ts';
import { SWEEP_OUTCOMES, SWEEP_REASONS, type SweepCount } from '../domain/retention.ts';
import { createDataApi, type DataApiOptions } from './data-api.ts';
import type { BegunPurge, DuePurge, FileHold, RetentionLedger, RetentionState, SweepItem, SweepRun } from './retention-ledger.ts';
import { row, storable } from './rows.ts';

const Action = z.enum(['mark', 'purge']);
const Reason = z.enum(SWEEP_REASONS);
const Outcome = z.enum(SWEEP_OUTCOMES);
const Count: z.ZodType<SweepCount> = z.object({ action: Action, reason: Reason, outcome: Outcome, copies: z.number(), bytes: z.number() });

const Run: z.ZodType<SweepRun> = row(
  z.object({
    id: z.string(),
    workflowId: z.string().nullable(),
    dryRun: z.boolean(),
    rules: z.object({
      ...{ retentionDays: z.number(), orphanDays: z.number(), graceDays: z.number(), quotaMinAgeDays: z.number() },
      includeReview: z.boolean(),
    }),
    status: z.enum(['running', 'completed', 'stopped', 'failed', 'interrupted']),
    reason: z.string().nullable(),
    totals: z.array(Count),
    notes: z.array(z.string()),
    startedAt: z.string(),
    endedAt: z.string().nullable(),
  }),
);

const Marked = z.object({ next: z.string().nullable(), copies: z.number(), bytes: z.number() });

const Ending: z.ZodType<EndingCopies> = row(
  z.object({ provider: z.string(), ending: z.number(), firstEndsInMs: z.number().nullable(), ended: z.number() }),
);

const Due: z.ZodType<DuePurge> = row(
  z.object({
    ...{ copyId: z.string(), fileId: z.string(), provider: z.string(), account: z.string() },
    ...{ reason: Reason, sizeBytes: z.number() },
  }),
);

const Begun: z.ZodType<BegunPurge> = row(
  z.object({
    ...{ copyId: z.string(), provider: z.string(), account: z.string(), purpose: z.string(), namespace: z.enum(['live', 'shadow']) },
    ...{ providerFileId: z.string().nullable(), sha256: z.string().nullable(), sizeBytes: z.number().nullable(), reason: Reason },
  }),
);

const Item: z.ZodType<SweepItem> = row(
  z.object({
    ...{ id: z.number(), action: Action, reason: Reason, copyId: z.string(), fileId: z.string(), provider: z.string() },
    ...{ account: z.string(), name: z.string().nullable(), sizeBytes: z.number(), outcome: Outcome, code: z.string().nullable() },
  }),
);

const State: z.ZodType<RetentionState> = row(
  z.object({ now: z.string(), inReview: z.number(), waiting: z.number(), lastSuccess: Run.nullable() }),
);

const Hold: z.ZodType<FileHold> = row(z.object({ hold: z.boolean(), reason: z.string().nullable(), setBy: z.string(), at: z.string() }));
const Held = row(z.object({ fileId: z.string(), copies: z.number(), purging: z.number() }));

/** Retention's part of the ledger in a Supabase project: each method is one function of `supabase/migrations`, called once. */
export function createSupabaseRetentionLedger(options: DataApiOptions): RetentionLedger {
  const call = createDataApi(options);
  return {
    beginSweep: ({ runId, workflowId, dryRun, rules }) =>
      call('begin_sweep', { p_run_id: runId, p_workflow_id: workflowId, p_dry_run: dryRun, p_rules: rules }, Run),
    sweepExpired: (runId, after, limit) => call('sweep_expired', { p_run_id: runId, p_after: after, p_limit: limit }, Marked),
    sweepOrphaned: (runId, after, limit) => call('sweep_orphaned', { p_run_id: runId, p_after: after, p_limit: limit }, Marked),
    sweepEnding: (runId, share, after, limit) =>
      call('sweep_ending', { p_run_id: runId, p_share: share, p_after: after, p_limit: limit }, Marked.extend({ kept: z.array(Ending) })),
    sweepQuota: (runId, { provider, account, purpose, kind, excess }, limit) =>
      call(
        'sweep_quota',
        {
          p_run_id: runId,
          p_provider: provider,
          p_account: account,
          p_purpose: purpose,
          p_kind: kind,
          p_excess: excess,
          p_limit: limit,
        },
        z.object({ copies: z.number(), bytes: z.number(), short: z.number() }),
      ),
    duePurges: (runId, owner, after, limit) =>
      call(
        'due_purges',
        { p_run_id: runId, p_owner: owner, p_after: after, p_limit: limit },
        z.object({ next: z.string().nullable(), copies: z.array(Due) }),
      ),
    beginPurges: (runId, copyIds, owner, leaseSeconds) =>
      call(
        'begin_purges',
        { p_run_id: runId, p_copy_ids: copyIds, p_owner: owner, p_lease_seconds: leaseSeconds },
        z.object({ begun: z.array(Begun), closed: z.number(), kept: z.number() }),
      ),
    standsOn: (copyId, objectId) => call('stands_on_object', { p_copy_id: copyId, p_object_id: objectId }, z.boolean()),
    async endPurges(runId, owner, results) {
      if (results.length === 0) return;
      const rows = results.map(({ copyId, outcome, code }) => ({ copy_id: copyId, outcome, code }));
      await call('end_purges', { p_run_id: runId, p_owner: owner, p_results: rows }, z.number());
    },
    endSweep: (runId, { status, reason, notes }) =>
      call(
        'end_sweep',
        { p_run_id: runId, p_status: status, p_reason: storable(reason), p_notes: notes.map((note) => storable(note)) },
        Run,
      ),

    sweeps: (limit) => call('list_sweeps', { p_limit: limit }, z.array(Run)),
    sweepItems: (runId, { after, limit }) => call('list_sweep_items', { p_run_id: runId, p_after: after, p_limit: limit }, z.array(Item)),
    retentionState: () => call('retention_state', {}, State),
    copyAges: (accounts) =>
      call(
        'copy_ages',
        { p_accounts: accounts.map(({ provider, account }) => ({ provider, account })) },
        z.array(z.object({ provider: z.string(), share: z.number() })),
      ),

    holdFile: (fileId, hold, { reason, by }) =>
      call('hold_file', { p_file_id: fileId, p_hold: hold, p_reason: storable(reason), p_set_by: storable(by) }, Held),
    fileHolds: (fileId) => call('list_file_holds', { p_file_id: fileId }, z.array(Hold)),
  };
}
