import { defineSearchAttributeKey } from '@temporalio/common';
import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { BackfillOrder, BackfillState } from '../src/domain/backfill-run.ts';
import type { MigrationState } from '../src/domain/migration.ts';
import type { FileOperationResult, Verification } from '../src/domain/models.ts';
import type { PagedRun } from '../src/domain/paged-run.ts';
import type { ReconcileOrder, ReconcileState } from '../src/domain/reconcile-run.ts';
import type { RolloutPlan, RolloutState } from '../src/domain/rollout.ts';
import type { UploadOrder } from '../src/domain/upload-order.ts';

/**
 * The one place of names: what starts, signals, queries and reads workflows agrees here with what runs them. Types of the schemas
 * only: each workflow evaluates its imports anew when it starts, and zod would cost it more than all of its steps.
 */

/** Search attributes. They are stored in plain text: no names of files or people. */
export const PROVIDER = defineSearchAttributeKey('CutoverProvider', 'KEYWORD');
export const PHASE = defineSearchAttributeKey('CutoverPhase', 'KEYWORD');
export const FAILED_FILES = defineSearchAttributeKey('CutoverFailedFiles', 'INT');
export const TOOL = defineSearchAttributeKey('CutoverTool', 'KEYWORD');
export const STATUS = defineSearchAttributeKey('CutoverStatus', 'KEYWORD');
/** Per cent of users. */
export const SHARE = defineSearchAttributeKey('CutoverShare', 'DOUBLE');
export const SEARCH_ATTRIBUTES = {
  [PROVIDER.name]: PROVIDER.type,
  [PHASE.name]: PHASE.type,
  [FAILED_FILES.name]: FAILED_FILES.type,
  [TOOL.name]: TOOL.type,
  [STATUS.name]: STATUS.type,
  [SHARE.name]: SHARE.type,
};

/** Settings of the operator that a workflow needs: they travel as input, because a workflow may not read the environment. */
export interface UploadSettings {
  /** Files up to this size go by local activities, which spare the server most round trips. */
  localLimitBytes: number;
  /** Slowest rate at which a transfer is still alive; bounds the time of an activity that moves bytes. */
  minBytesPerSecond: number;
  /** Time for the small calls of an activity, in ms. */
  activityTimeoutMs: number;
  /** How long a claim lasts without being renewed. */
  leaseSeconds: number;
  /** How often an activity is tried; absent: until an outage has gone on for too long. */
  attempts?: number;
  /**
   * Task queue of the activities that send bytes to this provider: it has a rate that all workers share. Absent: they go with the
   * others, as fast as they can. (A local activity would pass the rate by: there are none for such a provider.)
   */
  providerQueue?: string;
}

/** Each provider that has a rate has a queue of its own. */
export const providerQueue = (taskQueue: string, provider: string) => `${taskQueue}-${provider}`;

export interface UploadInput extends Omit<UploadOrder, 'attempts'> {
  settings: UploadSettings;
}
export type UploadResult = FileOperationResult;

export const uploadWorkflowId = (idempotencyKey: string) => `upload:${idempotencyKey}`;

/**
 * Where a migration's files come from. Paths are absolute and must be visible to the workers. `under`: only ids that begin so
 * (`bucket/folder/` at a storage); null is all that the configuration names.
 */
export type MigrationSource =
  | { kind: 'folder'; root: string }
  | { kind: 'manifest'; path: string }
  | { kind: 'provider'; provider: string; under: string | null };

export interface MigrateInput {
  migrationId: string;
  source: MigrationSource;
  provider: string;
  /** Uploads at once. */
  concurrency: number;
  verify: Verification;
  /** The provider's own word, or what the files are for; `storage` where absent. */
  purpose?: string;
  settings: UploadSettings;
  /** Files started in one run of the workflow before it continues as new. */
  filesPerRun: number;
  /** How long such a run waits for its last uploads before it hands them to the next, in ms; 20 s where absent. */
  drainMs?: number;
  /** Carried from run to run; absent at the start. */
  state?: MigrationState;
}

export const migrateWorkflowId = (migrationId: string) => `migrate:${migrationId}`;

/** Signals take an optional reason, so that they can be sent from the Temporal UI and CLI without an argument. */
export interface SignalReason {
  reason?: string;
  /** Who sends it. */
  by?: string;
}
export const pauseSignal = defineSignal<[SignalReason?]>('pause');
export const resumeSignal = defineSignal<[SignalReason?]>('resume');
export const cancelSignal = defineSignal<[SignalReason?]>('cancel');
export const statusQuery = defineQuery<MigrationState>('status');

export interface RolloutInput {
  plan: RolloutPlan;
  startedBy: string;
  reason: string | null;
  /** From 0: a later one where a ramp goes on at the step that failed. */
  firstStep: number;
  /** Evaluations in one run of the workflow before it continues as new. */
  looksPerRun: number;
  /** Carried from run to run; absent at the start. */
  carried?: RolloutProgress;
}

/** What the query `status` of a rollout answers. */
export interface RolloutProgress {
  state: RolloutState;
  /** Of the tool's steps: what is seen is counted under it. */
  epoch: number;
  /** Evaluations so far. */
  looks: number;
  nextEvaluationMs: number | null;
  /** Why the evidence could not be read at the last look; null: it could. */
  trouble: string | null;
  updatedAtMs: number;
}

/** One rollout of a tool at a time. */
export const rolloutWorkflowId = (tool: string) => `rollout:${tool}`;

export const rollbackSignal = defineSignal<[SignalReason?]>('rollback');
export const promoteSignal = defineSignal<[SignalReason?]>('promote');
export const rolloutStatusQuery = defineQuery<RolloutProgress>('status');

export interface RollbackInput {
  tool: string;
  by: string;
  reason: string | null;
}
export const rollbackWorkflowId = (tool: string) => `rollback:${tool}`;

export interface ReconcileInput {
  providers: readonly string[];
  order: ReconcileOrder;
  /** Whether what was found is settled, too. */
  fix: boolean;
  /** Pages in one run of the workflow before it continues as new. */
  pagesPerRun: number;
  /** Carried from run to run; absent at the start. */
  state?: ReconcileState;
}
export const reconcileWorkflowId = (runId: string) => `reconcile:${runId}`;

export interface BackfillInput {
  order: BackfillOrder;
  /** Batches in one run of the workflow before it continues as new. */
  pagesPerRun: number;
  state?: BackfillState;
}
export const backfillWorkflowId = (runId: string) => `hash-backfill:${runId}`;

/** The query `status` of what goes page by page. */
export const pagedStatusQuery = defineQuery<PagedRun>('status');
