import { defineSearchAttributeKey } from '@temporalio/common';
import { defineQuery, defineSignal } from '@temporalio/workflow';
import { z } from 'zod';
import { MigrationState } from '../src/domain/migration.ts';
import { type FileOperationResult, FileSource, Namespace, NewReference, Verification } from '../src/domain/models.ts';

/** The one place of names: what starts, signals, queries and reads workflows agrees here with what runs them. */

/** Search attributes. They are stored in plain text: no names of files or people. */
export const PROVIDER = defineSearchAttributeKey('CutoverProvider', 'KEYWORD');
export const PHASE = defineSearchAttributeKey('CutoverPhase', 'KEYWORD');
export const FAILED_FILES = defineSearchAttributeKey('CutoverFailedFiles', 'INT');
export const SEARCH_ATTRIBUTES = { [PROVIDER.name]: PROVIDER.type, [PHASE.name]: PHASE.type, [FAILED_FILES.name]: FAILED_FILES.type };

/** Settings of the operator that a workflow needs: they travel as input, because a workflow may not read the environment. */
export const UploadSettings = z.object({
  /** Files up to this size go by local activities, which spare the server most round trips. */
  localLimitBytes: z.number().int(),
  /** Slowest rate at which a transfer is still alive; bounds the time of an activity that moves bytes. */
  minBytesPerSecond: z.number(),
  /** Time for the small calls of an activity, in ms. */
  activityTimeoutMs: z.number(),
  /** How long a claim lasts without being renewed. */
  leaseSeconds: z.number(),
});
export type UploadSettings = z.infer<typeof UploadSettings>;

export const UploadInput = z.object({
  idempotencyKey: z.string(),
  source: FileSource,
  provider: z.string(),
  namespace: Namespace.default('live'),
  reference: NewReference,
  verify: Verification.default('none'),
  onDuplicate: z.enum(['reuse', 'error']).default('reuse'),
  settings: UploadSettings,
});
export type UploadInput = z.infer<typeof UploadInput>;
export type UploadResult = FileOperationResult;

export const uploadWorkflowId = (idempotencyKey: string) => `upload:${idempotencyKey}`;

/** Where a migration's files come from. Paths are absolute and must be visible to the workers. */
export const MigrationSource = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('folder'), root: z.string() }),
  z.object({ kind: z.literal('manifest'), path: z.string() }),
]);
export type MigrationSource = z.infer<typeof MigrationSource>;

export const MigrateInput = z.object({
  migrationId: z.string(),
  source: MigrationSource,
  provider: z.string(),
  concurrency: z.number().int().min(1).max(500),
  verify: Verification.default('none'),
  settings: UploadSettings,
  /** Files started in one run of the workflow before it continues as new. */
  filesPerRun: z.number().int().default(500),
  /** Carried from run to run; absent at the start. */
  state: MigrationState.optional(),
});
export type MigrateInput = z.infer<typeof MigrateInput>;

export const migrateWorkflowId = (migrationId: string) => `migrate:${migrationId}`;

/** Signals take an optional reason, so that they can be sent from the Temporal UI and CLI without an argument. */
export const pauseSignal = defineSignal<[{ reason?: string }?]>('pause');
export const resumeSignal = defineSignal<[{ reason?: string }?]>('resume');
export const cancelSignal = defineSignal<[{ reason?: string }?]>('cancel');
export const statusQuery = defineQuery<MigrationState>('status');
