import { activityInfo, cancellationSignal } from '@temporalio/activity';
import type { QuotaRules, SweepCount, SweepRules, SweptPage } from '../src/domain/retention.ts';
import type { MarkedPage } from '../src/ledger/retention-ledger.ts';
import { makeRoom, purgePage, type SweepDependencies } from '../src/manager/sweep.ts';
import { heartbeating } from './heartbeat.ts';

export interface RetentionActivitiesDependencies extends SweepDependencies {
  /** Told of what each page did; what a dry run would have done is not told. A page that is done again is told again. */
  onSwept?: (counts: readonly SweepCount[]) => void;
}

/** Which sweep a page is of. */
export interface SweepPageOf {
  runId: string;
  dryRun: boolean;
}

/** What the workflow `retention-sweep` is made of. Every page may be done again: the ledger counts each copy once for a sweep. */
export function createRetentionActivities(dependencies: RetentionActivitiesDependencies) {
  const { retention, onSwept } = dependencies;
  const told = ({ dryRun }: SweepPageOf, page: SweptPage): SweptPage => {
    if (!dryRun) onSwept?.(page.counts);
    return page;
  };
  const marked = ({ dryRun }: SweepPageOf, reason: 'expired' | 'orphaned', { next, copies, bytes }: MarkedPage): SweptPage => {
    const count: SweepCount = { action: 'mark', reason, outcome: dryRun ? 'planned' : 'done', copies, bytes };
    return { next, counts: copies === 0 ? [] : [count] };
  };

  return {
    /** Idempotent by the sweep's id. */
    async beginSweep(of: SweepPageOf, rules: SweepRules): Promise<void> {
      const workflowId = activityInfo().workflowExecution?.workflowId ?? null;
      await retention.beginSweep({ ...of, workflowId, rules });
    },

    async sweepExpired(of: SweepPageOf, after: string | null, limit: number): Promise<SweptPage> {
      return told(of, marked(of, 'expired', await retention.sweepExpired(of.runId, after, limit)));
    },

    async sweepOrphaned(of: SweepPageOf, after: string | null, limit: number): Promise<SweptPage> {
      return told(of, marked(of, 'orphaned', await retention.sweepOrphaned(of.runId, after, limit)));
    },

    async sweepQuota(of: SweepPageOf, rules: QuotaRules): Promise<SweptPage> {
      return told(of, await heartbeating(undefined, () => makeRoom(of.runId, rules, cancellationSignal(), dependencies, of.dryRun)));
    },

    /** A cancelled page begins no further delete, waits for those under way, and answers what was done. */
    async sweepPurge(of: SweepPageOf, after: string | null, limit: number, concurrency: number): Promise<SweptPage> {
      const details = { deleted: 0 };
      const page = await heartbeating(details, () =>
        purgePage(
          { ...of, owner: `sweep:${of.runId}`, after, limit, concurrency },
          {
            stopping: cancellationSignal(),
            onProgress: (deleted) => {
              details.deleted = deleted;
            },
          },
          dependencies,
        ),
      );
      return told(of, page);
    },

    /** Idempotent. @returns the totals, as the ledger counts them */
    async endSweep(
      of: SweepPageOf,
      end: { status: 'completed' | 'stopped' | 'failed'; reason: string | null; notes: string[] },
    ): Promise<SweepCount[]> {
      return (await retention.endSweep(of.runId, end)).totals;
    },
  };
}
