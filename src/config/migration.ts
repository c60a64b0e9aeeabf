import { z } from 'zod';
import type { ShadowSettings } from '../domain/shadow.ts';
import { boolean, float, integer, list } from './parsers.ts';
import { setting } from './setting.ts';

/** The tools that ship. Each is a named place in the application from which files are uploaded. */
export const TOOLS = ['kimi', 'smart_handler', 'supabase'] as const;
export type Tool = (typeof TOOLS)[number];

const percentage = (tool: string) =>
  setting(float({ min: 0, max: 100 }), {
    about: `Share of users, in per cent, whom unified serves for ${tool}; once a rollout was started, the ledger's counts`,
    default: 0,
  });
const enabled = (tool: string) => setting(boolean(), { about: `Whether unified may serve ${tool} at all`, default: false });
const rate = () => float({ min: 0, max: 1 });

/** What the facade may do, and the first values of what operators change while things run. */
export function migrationSchema() {
  const variables = z.object({
    ENABLE_UNIFIED_MANAGER: setting(boolean(), { about: 'Master switch: off means that everything goes to legacy', default: false }),
    ENABLE_FALLBACK_TO_LEGACY: setting(boolean(), { about: 'Legacy answers where unified fails', default: true }),
    ENABLE_SHADOW_MODE: setting(boolean(), { about: 'Run the candidate beside legacy on a sample, and compare', default: false }),
    SHADOW_MODE_SAMPLE_RATE: setting(rate(), { about: 'Share of operations that are compared, 0 to 1', default: 0.1 }),
    SHADOW_MODE_ERROR_THRESHOLD: setting(rate(), { about: 'Share of failures above which shadowing stops for a while', default: 0.05 }),
    SHADOW_MODE_MIN_SAMPLES: setting(integer({ min: 1, max: 1_000_000 }), {
      about: 'Comparisons before that threshold counts',
      default: 50,
    }),
    SHADOW_MODE_MAX_SAMPLES_PER_MINUTE: setting(integer({ min: 1, max: 1_000_000 }), {
      about: 'Comparisons a minute, at most',
      default: 100,
    }),
    SHADOW_MODE_DURATION_MINUTES: setting(float({ min: 0, max: 525_600 }), {
      about: 'Shadowing ends after this; 0: it does not',
      default: 0,
    }),
    SHADOW_MODE_COOLDOWN_MINUTES: setting(float({ min: 0, max: 525_600 }), { about: 'How long shadowing stops then', default: 30 }),
    SHADOW_MODE_INCLUDE_TIMING: setting(boolean(), { about: 'Compare how long both took', default: true }),
    SHADOW_MODE_CANDIDATE_TIMEOUT_SECONDS: setting(float({ min: 0.1, max: 86_400 }), {
      about: 'How long the candidate may take in a comparison',
      default: 90,
    }),
    SHADOW_MODE_CONTROL_RUNS: setting(boolean(), {
      about: 'Run the old path a second time in each comparison (and delete what it stored), to know what differs by chance alone',
      default: false,
    }),
    SHADOW_MODE_IGNORE_FIELDS: setting(list('fields separated by commas, such as name,mimeType', /^\w+(\.\w+)*$/), {
      about: 'Fields of the result that may differ, separated by commas',
      default: null,
      shown: '',
    }),
    ENABLE_KIMI_MIGRATION: enabled('kimi'),
    ENABLE_SMART_HANDLER_MIGRATION: enabled('smart_handler'),
    ENABLE_SUPABASE_MIGRATION: enabled('supabase'),
    KIMI_ROLLOUT_PERCENTAGE: percentage('kimi'),
    SMART_HANDLER_ROLLOUT_PERCENTAGE: percentage('smart_handler'),
    SUPABASE_ROLLOUT_PERCENTAGE: percentage('supabase'),
  });
  const schema = variables.transform((v) => ({
    enabled: v.ENABLE_UNIFIED_MANAGER,
    fallbackToLegacy: v.ENABLE_FALLBACK_TO_LEGACY,
    shadow: {
      enabled: v.ENABLE_SHADOW_MODE,
      sampleRate: v.SHADOW_MODE_SAMPLE_RATE,
      errorThreshold: v.SHADOW_MODE_ERROR_THRESHOLD,
      minSamples: v.SHADOW_MODE_MIN_SAMPLES,
      maxSamplesPerMinute: v.SHADOW_MODE_MAX_SAMPLES_PER_MINUTE,
      durationMs: v.SHADOW_MODE_DURATION_MINUTES * 60_000,
      cooldownMs: v.SHADOW_MODE_COOLDOWN_MINUTES * 60_000,
      includeTiming: v.SHADOW_MODE_INCLUDE_TIMING,
      candidateTimeoutMs: v.SHADOW_MODE_CANDIDATE_TIMEOUT_SECONDS * 1000,
      controlRuns: v.SHADOW_MODE_CONTROL_RUNS,
      ignore: v.SHADOW_MODE_IGNORE_FIELDS ?? [],
    } satisfies ShadowSettings,
    tools: {
      kimi: { enabled: v.ENABLE_KIMI_MIGRATION, share: v.KIMI_ROLLOUT_PERCENTAGE, switch: 'ENABLE_KIMI_MIGRATION' },
      smart_handler: {
        enabled: v.ENABLE_SMART_HANDLER_MIGRATION,
        share: v.SMART_HANDLER_ROLLOUT_PERCENTAGE,
        switch: 'ENABLE_SMART_HANDLER_MIGRATION',
      },
      supabase: { enabled: v.ENABLE_SUPABASE_MIGRATION, share: v.SUPABASE_ROLLOUT_PERCENTAGE, switch: 'ENABLE_SUPABASE_MIGRATION' },
    } satisfies Record<Tool, { enabled: boolean; share: number; switch: string }>,
  }));
  return { title: 'Migration', variables, schema };
}
