import { type Client, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { WorkflowIdReusePolicy } from '@temporalio/common';
import {
  type BackfillInput,
  backfillWorkflowId,
  cancelSignal,
  pagedStatusQuery,
  pauseSignal,
  type ReconcileInput,
  reconcileWorkflowId,
  resumeSignal,
} from '../../workflows/contract.ts';
import type { BackfillOrder, BackfillState } from '../domain/backfill-run.ts';
import { ValidationError } from '../domain/errors.ts';
import type { PagedRun } from '../domain/paged-run.ts';
import type { ReconcileOrder, ReconcileState } from '../domain/reconcile-run.ts';

export interface NewReconciliation {
  providers: readonly string[];
  order: ReconcileOrder;
  fix: boolean;
  /** Also where too many objects are unknown to be nobody's. */
  fixUnknown: boolean;
}

/** Pages and batches in one run of their workflows: histories stay far below Temporal's limits. */
const PAGES_PER_RUN = 500;

/** What goes page by page: which workflow, and what it ends with. */
export interface RunStates {
  reconcile: ReconcileState;
  backfill: BackfillState;
}
export type RunKind = keyof RunStates;
const WORKFLOW_ID = { reconcile: reconcileWorkflowId, backfill: backfillWorkflowId };

/** Starts reconciliations and backfills, sends their signals and reads their state. */
export function createMaintenanceClient(client: Client, taskQueue: string, asked: <T>(what: string, ask: () => Promise<T>) => Promise<T>) {
  const handle = (kind: RunKind, id: string) => client.workflow.getHandle(WORKFLOW_ID[kind](id));
  async function start(kind: RunKind, type: string, id: string, summary: string, input: ReconcileInput | BackfillInput): Promise<void> {
    await asked(`${kind} ${id}`, async () => {
      try {
        await client.workflow.start(type, {
          workflowId: WORKFLOW_ID[kind](id),
          // One report for each id.
          workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
          taskQueue,
          staticSummary: summary.slice(0, 200),
          args: [input],
        });
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
        throw new ValidationError(`The ${kind} ${id} was started already: look at it with --attach`, {
          code: 'already_started',
          cause: error,
        });
      }
    });
  }

  return {
    async startReconcile(reconciliation: NewReconciliation): Promise<void> {
      const { providers, order, fix } = reconciliation;
      const summary = `${providers.join(', ')}${fix ? ', and settle what is found' : ''}`;
      await start('reconcile', 'reconcile', order.runId, summary, {
        ...reconciliation,
        pagesPerRun: PAGES_PER_RUN,
      } satisfies ReconcileInput);
    },
    async startBackfill(order: BackfillOrder): Promise<void> {
      const summary = `${order.provider}/${order.bucket}${order.dryRun ? ' (dry run)' : ''}`;
      await start('backfill', 'hash-backfill', order.runId, summary, { order, pagesPerRun: PAGES_PER_RUN } satisfies BackfillInput);
    },
    /** Waits for the end. @throws FileManagementError when it failed, or was cancelled or terminated in Temporal */
    runResult: <K extends RunKind>(kind: K, id: string): Promise<RunStates[K]> =>
      asked(`${kind} ${id}`, () => handle(kind, id).result() as Promise<RunStates[K]>),
    /** Also of one that has ended. Needs a worker. */
    runStatus: <K extends RunKind>(kind: K, id: string): Promise<RunStates[K]> =>
      asked(`${kind} ${id}`, async () => (await handle(kind, id).query<PagedRun>(pagedStatusQuery)) as RunStates[K]),
    signalRun: (kind: RunKind, id: string, signal: 'pause' | 'resume' | 'cancel', reason?: string): Promise<void> =>
      asked(`${kind} ${id}`, () => handle(kind, id).signal(SIGNALS[signal], reason === undefined ? {} : { reason })),
  };
}

const SIGNALS = { pause: pauseSignal, resume: resumeSignal, cancel: cancelSignal };
