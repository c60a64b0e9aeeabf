import { z } from 'zod';
import { MODEL_KINDS, timeLimitsFor } from '../domain/time-limits.ts';
import { type Config, MASK } from './load.ts';
import { addressShown } from './mcp-storage.ts';

const milliseconds = z.number().nonnegative();
const limits = z.object({ toolMs: milliseconds, daemonMs: milliseconds, shimMs: milliseconds, clientMs: milliseconds });
/** The mask where a secret is set. */
const secret = z.literal(MASK).nullable();

/** What is switched on, for whom, how long things may take and where files can go, as this process was configured. */
export const Status = z.object({
  switches: z.object({ unifiedManager: z.boolean(), fallbackToLegacy: z.boolean(), shadowMode: z.boolean() }),
  /** By the tool's name. `share` is in per cent and counts where no rollout was ever started; after that the ledger's does. */
  tools: z.record(z.string(), z.object({ enabled: z.boolean(), share: z.number().min(0).max(100), switch: z.string() })),
  /** The first values: `cutover shadow set` changes what is in force. */
  shadow: z.object({
    sampleRate: z.number().min(0).max(1),
    errorThreshold: z.number().min(0).max(1),
    minSamples: z.int().positive(),
    maxSamplesPerMinute: z.int().positive(),
    /** 0: no end. */
    durationMs: milliseconds,
    cooldownMs: milliseconds,
    includeTiming: z.boolean(),
  }),
  /** Each layer outlasts the one inside it, whatever kind of model a file is for. */
  timeLimits: z.record(z.enum(MODEL_KINDS), limits),
  maxRetryAttempts: z.int().nonnegative(),
  files: z.object({ maxBytes: z.int().positive(), allowedExtensions: z.array(z.string()).nullable(), onDuplicate: z.string() }),
  mcp: z.object({ maxPromptBytes: z.int().nonnegative(), maxOutputTokens: z.int().positive() }),
  /** `configured` says that what it needs is set, not that it answers. `maxFileBytes` null: as large as files may be at all. */
  providers: z.record(
    z.string(),
    z.object({ configured: z.boolean(), address: z.string().nullable(), secret, maxFileBytes: z.int().nullable() }),
  ),
  /** Null: not set, and none is started here. `embedded`: `cutover up` started it. */
  temporal: z.object({ address: z.string().nullable(), namespace: z.string(), taskQueue: z.string(), secret, embedded: z.boolean() }),
  supabase: z.object({ url: z.string().nullable(), bucket: z.string(), secret, embedded: z.boolean() }),
  /** Slips that do not keep anything from working. */
  warnings: z.array(z.string()),
});
export type Status = z.infer<typeof Status>;

const masked = (value: string | null): typeof MASK | null => (value === null ? null : MASK);

/** The status as plain data, without a secret in it: for programs, for MCP's `get_status`. Asks no server. */
export function getStatus({ migration, operations, files, mcp, providers, temporal, supabase, warnings }: Config): Status {
  const { enabled: shadowMode, ...shadow } = migration.shadow;
  const { kimi, glm, openai, anthropic, gemini, s3 } = providers;
  const withKey = Object.entries({ kimi, glm, openai, anthropic, gemini }).map(([name, { apiKey, baseUrl, maxFileBytes }]) => [
    name,
    { configured: apiKey !== null, address: baseUrl, secret: masked(apiKey), maxFileBytes },
  ]);
  return Status.parse({
    switches: { unifiedManager: migration.enabled, fallbackToLegacy: migration.fallbackToLegacy, shadowMode },
    tools: migration.tools,
    shadow,
    timeLimits: Object.fromEntries(MODEL_KINDS.map((kind) => [kind, timeLimitsFor(operations, operations.multipliers, kind)])),
    maxRetryAttempts: operations.maxRetryAttempts,
    files: { maxBytes: files.maxFileBytes, allowedExtensions: files.allowedExtensions, onDuplicate: files.onDuplicate },
    mcp,
    providers: {
      ...Object.fromEntries(withKey),
      mcp: {
        configured: mcp.storage !== null,
        address: mcp.storage === null ? null : addressShown(mcp.storage),
        // Which of the variables that its file refers to are secrets is not known.
        secret: mcp.storage === null ? null : MASK,
        maxFileBytes: mcp.storage === null ? null : mcp.storage.maxFileMb * 1024 * 1024,
      },
      s3: { configured: s3.bucket !== null, address: s3.endpoint, secret: masked(s3.secretAccessKey), maxFileBytes: s3.maxFileBytes },
      supabase: {
        configured: supabase.url !== null,
        address: supabase.url,
        secret: masked(supabase.secretKey),
        maxFileBytes: providers.supabase.maxFileBytes,
      },
    },
    temporal: {
      address: temporal.address,
      namespace: temporal.namespace,
      taskQueue: temporal.taskQueue,
      secret: masked(temporal.apiKey),
      embedded: temporal.embedded,
    },
    supabase: { url: supabase.url, bucket: supabase.bucket, secret: masked(supabase.secretKey), embedded: supabase.embedded },
    warnings,
  });
}
