import { cancellationSignal } from '@temporalio/activity';
import type { ReconcileCounts, ReconcileOrder, ReconcilePage } from '../src/domain/reconcile-run.ts';
import { DISAGREEMENTS } from '../src/domain/reconciliation.ts';
import { createReconciler, type ReconcileDependencies, type SettleOptions } from '../src/manager/reconcile.ts';
import { heartbeating } from './heartbeat.ts';

export type ReconcileActivitiesDependencies = ReconcileDependencies;

/** What the workflow `reconcile` is made of: pages. Each may be done again. */
export function createReconcileActivities(dependencies: ReconcileActivitiesDependencies) {
  const { maintenance, provider } = dependencies;
  const reconciler = createReconciler(dependencies);
  const page = (work: (signal: AbortSignal) => Promise<ReconcilePage>): Promise<ReconcilePage> =>
    heartbeating(undefined, () => work(cancellationSignal()));
  return {
    /** Every provider is known here. What others did not move to the end is given back. @returns the time of the ledger's clock */
    async beginReconcile(providers: readonly string[]): Promise<string> {
      for (const name of providers) provider(name);
      await maintenance.releaseAbandoned();
      return await maintenance.time();
    },

    compareObjects: (name: string, after: string | null, order: ReconcileOrder) =>
      page((signal) => reconciler.compareObjects(name, after, order, signal)),

    findLostCopies: (name: string, after: string | null, since: string, order: ReconcileOrder) =>
      page((signal) => reconciler.findLost(name, after, since, order, signal)),

    /** @param after a position, as text @param options absent where a workflow of the version before asks */
    settleFindings: (after: string | null, order: Pick<ReconcileOrder, 'runId'>, options: SettleOptions = { leaveUnknownAt: [] }) =>
      page((signal) => reconciler.settle(after === null ? null : Number(after), order, signal, options)),

    /** Reads only. Each finding of the run once, by kind and by what was done about it. */
    async countFindings(runId: string): Promise<Partial<ReconcileCounts>> {
      const counts: Partial<ReconcileCounts> = Object.fromEntries(DISAGREEMENTS.map((kind) => [kind, 0]));
      for (const { kind, action, count } of await maintenance.countFindings(runId)) {
        if (kind !== 'foreign') counts[kind] = (counts[kind] ?? 0) + count;
        if (action !== 'none') counts[action] = (counts[action] ?? 0) + count;
      }
      return counts;
    },
  };
}
