import { z } from 'zod';
import type { JsonValue } from '../domain/comparison.ts';
import { FileCopy, Sha256 } from '../domain/models.ts';
import { createDataApi, type DataApiOptions } from './data-api.ts';
import type { ShadowReport } from './rollout-ledger.ts';
import { row, storable } from './rows.ts';
import type { ShadowCopy, ShadowLedger } from './shadow-ledger.ts';

const JsonObject = z.record(z.string(), z.json() as z.ZodType<JsonValue>);
const Quantiles = z
  .array(z.number().nullable())
  .nullable()
  .transform((values) => (values?.every((value) => value !== null) ? (values as number[]) : null));
const Report: z.ZodType<ShadowReport> = row(
  z.object({
    comparisons: z.number(),
    matched: z.number(),
    withNoise: z.number(),
    pairs: z.partialRecord(z.enum(['both', 'neither', 'candidateOnly', 'legacyOnly']), z.number()),
    fields: z.array(z.object({ field: z.string(), differing: z.number(), noise: z.number() })),
    examples: z.array(JsonObject),
    timingMs: z.object({ control: Quantiles, candidate: Quantiles }),
  }),
);
const Copy: z.ZodType<ShadowCopy> = row(FileCopy.extend({ sha256: Sha256, sizeBytes: z.number() }));

/** Shadow comparisons in a Supabase project: each method is one function of `supabase/migrations`, called once. */
export function createSupabaseShadowLedger(options: DataApiOptions): ShadowLedger {
  const call = createDataApi(options);
  return {
    takeSample: ({ tool, step, maxPerMinute, durationSeconds, beganAt }) =>
      call(
        'take_shadow_sample',
        {
          ...{ p_tool: storable(tool), p_step: step, p_max_per_minute: maxPerMinute, p_duration_seconds: durationSeconds },
          p_began_at: beganAt,
        },
        z.enum(['taken', 'rate', 'open', 'over']),
      ),
    recordComparison: ({ operationId, noiseMismatches, controlMs, candidateMs, ...comparison }, breaker) =>
      call(
        'record_shadow_comparison',
        {
          p_comparison: {
            ...comparison,
            ...{ operation_id: operationId, noise_mismatches: noiseMismatches, control_ms: controlMs, candidate_ms: candidateMs },
            ...(breaker === undefined
              ? {}
              : {
                  breaker: { threshold: breaker.threshold, min_samples: breaker.minSamples, cooldown_seconds: breaker.cooldownSeconds },
                }),
          },
        },
        z.boolean(),
      ),
    shadowReport: (tool, since, examples) =>
      call('shadow_report', { p_tool: storable(tool), p_since: since, p_examples: examples }, Report),
    shadowCopies: (idempotencyKey) => call('list_shadow_copies', { p_idempotency_key: idempotencyKey }, z.array(Copy)),
    deleteShadowCopy: (copyId) => call('soft_delete_shadow_copy', { p_copy_id: copyId }, z.boolean()),
  };
}
