import { defineSearchAttributeKey } from '@temporalio/common';
import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { BackfillOrder, BackfillState } from '../src/domain/backfill-run.ts';
import type { ComparisonRules, Observation } from '../src/domain/comparison.ts';
import type { MigrationState } from '../src/domain/migration.ts';
import type { MirrorState, RetryPlan } from '../src/domain/mirror.ts';
import type { FileOperationResult, FileSource, Verification } from '../src/domain/models.ts';
import type { PagedRun } from '../src/domain/paged-run.ts';
import type { ReconcileOrder, ReconcileState } from '../src/domain/reconcile-run.ts';
import type { RehomeState } from '../src/domain/rehome.ts';
import type { QuotaRules, SweepProgress, SweepRules } from '../src/domain/retention.ts';
import type { RolloutPlan, RolloutState } from '../src/domain/rollout.ts';
import type { ModelKind } from '../src/domain/time-limits.ts';
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
  /** By which a worker multiplies the time of a small call, as `activityTimeoutMs` is already; absent: a standard one. */
  model?: ModelKind;
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

export interface UploadInput extends Omit<UploadOrder, 'attempts' | 'model'> {
  settings: UploadSettings;
}
export type UploadResult = FileOperationResult;

export const uploadWorkflowId = (idempotencyKey: string) => `upload:${idempotencyKey}`;

/** Real paths: folders whose files may be read, and what below them may not. */
export interface AllowedFolders {
  folders: readonly string[];
  kept: readonly string[];
}

/**
 * Where a migration's files come from. Paths are absolute and must be visible to the workers. `under`: only ids that begin so
 * (`bucket/folder/` at a storage); null is all that the configuration names. `within`: no file elsewhere is read; absent: any.
 */
export type MigrationSource =
  | { kind: 'folder'; root: string; within?: AllowedFolders }
  | { kind: 'manifest'; path: string; within?: AllowedFolders }
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

/** One operation that is compared. Carries no bytes: workers read what the control stored. */
export interface ShadowComparisonInput {
  tool: string;
  operation: 'upload';
  operationId: string;
  /** The epoch of the tool when the operation was sampled. */
  step: number;
  source: FileSource;
  /** The source was laid there for this comparison alone, and goes with it. */
  staged: boolean;
  /** `legacyId`: what legacy has stored it as; absent where it failed. */
  file: { name: string; mimeType: string | null; purpose: string; legacyId?: string };
  /** Where the candidate sends it, into quarantine. */
  provider: string;
  /** What legacy made of the operation. */
  control: Observation;
  rules: ComparisonRules;
  candidateTimeoutMs: number;
  /** Where the control is run a second time; absent: it is not. */
  legacyQueue?: string;
  /** When shadowing is to rest. */
  breaker: { threshold: number; minSamples: number; cooldownSeconds: number };
  settings: UploadSettings;
}
export const shadowComparisonWorkflowId = (operationId: string) => `shadow-comparison:${operationId}`;
/** Whoever can reach the old upload path serves this queue: the stock worker where one is configured, or the application itself. */
export const legacyQueue = (taskQueue: string) => `${taskQueue}-legacy`;

/** A file that the side which does not count is to have, too. */
export interface MirroredFile {
  name: string;
  sizeBytes: number;
  mimeType: string | null;
  purpose: string;
  /** Where workers read it; null: unified has it, or is to have it by `late` alone. */
  source: FileSource | null;
  /** The source was laid there for this alone, and is removed at the end. */
  staged: boolean;
  /** Of the tool when it was uploaded: what becomes of it counts there. */
  step: number;
  /** Operation of an upload to unified that goes on though legacy has answered; null: there is none. */
  late: string | null;
}
export interface MirrorInput {
  tool: string;
  userId: string | null;
  /** Whose id the application was given. */
  answered: 'legacy' | 'unified';
  id: string;
  /** Where unified keeps the tool's files. */
  provider: string;
  legacyQueue: string;
  retry: RetryPlan;
  settings: UploadSettings;
  /** Carried from run to run; absent at the start. */
  carried?: { file: MirroredFile | null; staged: FileSource[]; attempts: number; begunAtMs: number; counted: boolean };
}

/** One for each file. @param key of the id and the user: ids of workflows are stored in plain text */
export const mirrorWorkflowId = (tool: string, key: string) => `mirror:${tool}:${key}`;

export const writeSignal = defineSignal<[MirroredFile]>('write');
export const removeSignal = defineSignal<[SignalReason?]>('remove');
export const mirrorStatusQuery = defineQuery<MirrorState>('status');

export interface RehomeInput {
  tool: string;
  /** ISO 8601: files that were uploaded since then; null: all. */
  since: string | null;
  verify: Exclude<Verification, 'none'>;
  /** Files at once. */
  concurrency: number;
  pageSize: number;
  /** Files in one run of the workflow before it continues as new. */
  filesPerRun: number;
  legacyQueue: string;
  settings: UploadSettings;
  /** Carried from run to run; absent at the start. */
  state?: RehomeState;
}

/** One at a time for a tool. */
export const rehomeWorkflowId = (tool: string) => `rehome:${tool}`;
export const rehomeStatusQuery = defineQuery<RehomeState>('status');
export interface SweepInput {
  dryRun: boolean;
  rules: SweepRules;
  quota: QuotaRules;
  /** Files, or unfinished copies, that are looked at in one step. */
  filesPerPage: number;
  /** Deleted copies that are looked at in one step. */
  purgesPerPage: number;
  /** Deletes at once at the providers. */
  concurrency: number;
  /** Steps in one run of the workflow before it continues as new. */
  pagesPerRun: number;
  /** Carried from run to run; absent at the start. */
  progress?: SweepProgress;
}

/** The name of the workflow. */
export const RETENTION_SWEEP = 'retention-sweep';
/**
 * Id of the schedule, and of a sweep that is started without it; Temporal adds the time to the ids of what a schedule starts. Each task
 * queue has its own, so that applications in one namespace do not undo each other's schedule.
 */
export const sweepId = (taskQueue: string) => `${RETENTION_SWEEP}:${taskQueue}`;
export const drySweepId = (taskQueue: string) => `${RETENTION_SWEEP}-dry-run:${taskQueue}`;

export const stopSignal = defineSignal<[SignalReason?]>('stop');
export const sweepStatusQuery = defineQuery<SweepProgress>('status');
export interface ReconcileInput {
  providers: readonly string[];
  order: ReconcileOrder;
  /** Whether what was found is settled, too. */
  fix: boolean;
  /** Whether objects that no row knows are settled also where there are too many of them to be nobody's. */
  fixUnknown?: boolean;
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
