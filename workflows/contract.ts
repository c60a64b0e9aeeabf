import { defineSearchAttributeKey } from '@temporalio/common';
import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { MigrationState } from '../src/domain/migration.ts';
import type { FileOperationResult, FileSource, Namespace, NewReference, Verification } from '../src/domain/models.ts';

/**
 * The one place of names: what starts, signals, queries and reads workflows agrees here with what runs them. Types of the schemas
 * only: each workflow evaluates its imports anew when it starts, and zod would cost it more than all of its steps.
 */

/** Search attributes. They are stored in plain text: no names of files or people. */
export const PROVIDER = defineSearchAttributeKey('CutoverProvider', 'KEYWORD');
export const PHASE = defineSearchAttributeKey('CutoverPhase', 'KEYWORD');
export const FAILED_FILES = defineSearchAttributeKey('CutoverFailedFiles', 'INT');
export const SEARCH_ATTRIBUTES = { [PROVIDER.name]: PROVIDER.type, [PHASE.name]: PHASE.type, [FAILED_FILES.name]: FAILED_FILES.type };

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
  /**
   * Task queue of the activities that send bytes to this provider: it has a rate that all workers share. Absent: they go with the
   * others, as fast as they can. (A local activity would pass the rate by: there are none for such a provider.)
   */
  providerQueue?: string;
}

/** Each provider that has a rate has a queue of its own. */
export const providerQueue = (taskQueue: string, provider: string) => `${taskQueue}-${provider}`;

export interface UploadInput {
  idempotencyKey: string;
  source: FileSource;
  provider: string;
  namespace: Namespace;
  reference: NewReference;
  verify: Verification;
  /** Whether a content that is there already is the answer, or an error. */
  onDuplicate: 'reuse' | 'error';
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
export const pauseSignal = defineSignal<[{ reason?: string }?]>('pause');
export const resumeSignal = defineSignal<[{ reason?: string }?]>('resume');
export const cancelSignal = defineSignal<[{ reason?: string }?]>('cancel');
export const statusQuery = defineQuery<MigrationState>('status');
