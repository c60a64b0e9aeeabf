import { z } from 'zod';
import { FileCopy, FileRecord } from '../domain/models.ts';
import { STAGES } from '../domain/routing.ts';

/** What several tools take or answer. */

export const fileNamed = z
  .string()
  .min(1)
  .max(4096)
  .describe('the file: its id, its SHA-256, a name that it has, or what it was called before it moved');

export const reason = z.string().min(1).max(1000).optional().describe('why, for the audit and for those who look at it later');

export const toolNamed = z
  .string()
  .min(1)
  .max(100)
  .describe('a tool of the application: kimi, smart_handler, supabase, or one of CUTOVER_TOOLS');

export const cursor = z.string().min(1).max(8192).optional().describe('the `next` of the answer before, to go on behind it');
export const next = z.string().nullable().describe('hand this in as `cursor` to go on; null: nothing follows');

/** Of durable work that a call waits for. */
export const status = z.enum(['done', 'running']).describe('`running`: it goes on, and nobody waits for it');

/** What is typed again to say that it is meant. */
export const confirm = (what: string) =>
  z.string().optional().describe(`${what}, typed again: without it nothing is done, and the answer says what would go`);

const timestamp = z.string();
const amount = z.int().nonnegative();

export const ListedFile = FileRecord.extend({
  names: z.array(z.string()),
  references: amount.describe('how many hold it'),
  copies: z.array(FileCopy.pick({ provider: true, status: true, providerFileId: true })),
});

export const StoredObject = z.object({
  id: z.string(),
  sizeBytes: amount,
  mimeType: z.string().nullable(),
  createdAt: timestamp.nullable(),
  name: z.string().nullable(),
  purpose: z.string().nullable(),
  sha256: z.string().nullable(),
  expiresAt: timestamp.nullable(),
  downloadable: z.boolean().nullable(),
});

export const Bucket = z.object({
  name: z.string(),
  public: z.boolean().nullable().describe('whether everybody may read it without a key; null: not known'),
  createdAt: timestamp.nullable(),
  maxFileBytes: z.number().nullable(),
  allowedMimeTypes: z.array(z.string()).nullable(),
});

export const RolloutRecord = z.object({
  tool: z.string(),
  stage: z.enum(STAGES),
  share: z.number().describe('per cent of users whom unified serves in the stage `live`'),
  status: z.enum(['idle', 'running', 'paused', 'awaiting_approval', 'guarding', 'completed', 'rolled_back']),
  step: z.int().describe('from 0'),
  steps: z.array(z.number()),
  reason: z.string().nullable(),
  startedAt: timestamp.nullable(),
  updatedAt: timestamp,
});

export const RolloutEvent = z.object({
  id: z.int(),
  at: timestamp,
  decision: z.string(),
  decidedBy: z.string(),
  reason: z.string(),
  stageBefore: z.enum(STAGES).nullable(),
  stageAfter: z.enum(STAGES).nullable(),
  shareBefore: z.number().nullable(),
  shareAfter: z.number().nullable(),
  step: z.int().nullable(),
});

export const ShadowInForce = z.object({
  enabled: z.boolean(),
  sampleRate: z.number(),
  maxSamplesPerMinute: z.number(),
  errorThreshold: z.number(),
  minSamples: z.number(),
  cooldownMs: z.number(),
  durationMs: z.number().describe('0: no end'),
  includeTiming: z.boolean(),
  candidateTimeoutMs: z.number(),
  controlRuns: z.boolean(),
});

const json = z.record(z.string(), z.unknown());
const quantiles = z.array(z.number()).nullable().describe('ms at the quantiles 0.5, 0.95 and 0.99');
export const ShadowReport = z.object({
  comparisons: amount,
  matched: amount,
  withNoise: amount,
  pairs: z.record(z.string(), amount),
  fields: z.array(z.object({ field: z.string(), differing: amount, noise: amount })),
  examples: z.array(json),
  timingMs: z.object({ control: quantiles, candidate: quantiles }),
});

const SweepCount = z.object({ action: z.string(), reason: z.string(), outcome: z.string(), copies: amount, bytes: amount });
export const SweepRun = z.object({
  id: z.string(),
  workflowId: z.string().nullable(),
  dryRun: z.boolean(),
  status: z.enum(['running', 'completed', 'stopped', 'failed', 'interrupted']),
  reason: z.string().nullable(),
  totals: z.array(SweepCount),
  notes: z.array(z.string()),
  startedAt: timestamp,
  endedAt: timestamp.nullable(),
});
export const SweepItem = z.object({
  action: z.string(),
  reason: z.string(),
  outcome: z.string(),
  fileId: z.string(),
  name: z.string().nullable(),
  provider: z.string(),
  sizeBytes: amount,
  code: z.string().nullable(),
});

export const MigrationOutcome = z.object({
  phase: z.enum(['checking', 'copying', 'paused', 'cancelling', 'done', 'cancelled']),
  reason: z.string().nullable(),
  totals: z.object({
    ...{ listed: amount, listedBytes: amount, uploaded: amount, uploadedBytes: amount, deduplicated: amount, deduplicatedBytes: amount },
    ...{ failed: amount, cancelled: amount, skipped: amount, verifiedStored: amount, verifiedDownload: amount },
  }),
  failures: z.array(z.object({ path: z.string(), error: z.string() })).describe('the first few; the tool list_migration_files has all'),
  startedAt: timestamp,
  elapsedMs: z.number(),
});

export const ProviderStatus = z.object({
  name: z.string(),
  account: z.string(),
  available: z.boolean().nullable().describe('null: it was not asked'),
  trouble: z.object({ code: z.string(), message: z.string() }).nullable(),
  circuit: z.enum(['closed', 'half_open', 'open']),
  lastError: z.object({ code: z.string(), message: z.string(), at: timestamp }).nullable(),
  quota: z
    .array(z.object({ kind: z.enum(['files', 'bytes']), purpose: z.string().nullable(), used: z.number(), limit: z.number() }))
    .nullable()
    .describe('null: it could not be counted'),
  ours: z.object({ files: amount, bytes: amount }),
  maxFileBytes: z.number(),
  downloads: z.boolean().describe('whether originals can be read back'),
  purposes: z.array(z.string()).nullable().describe("the provider's own; null: any word"),
  expiresAfterSeconds: z.number().nullable(),
});
