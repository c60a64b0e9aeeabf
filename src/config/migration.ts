import { z } from 'zod';
import type { ShadowSettings } from '../domain/shadow.ts';
import { boolean, float, integer, list } from './parsers.ts';
import { setting } from './setting.ts';
import { furtherTools, rolloutVariable, switchVariable, type Tool, type ToolSettings } from './tools.ts';

const percentage = (tool: string) =>
  setting(float({ min: 0, max: 100 }), {
    about: `Share of users, in per cent, whom unified serves for ${tool}; once a rollout was started, the ledger's counts`,
    default: 0,
  });
const enabled = (tool: string) => setting(boolean(), { about: `Whether unified may serve ${tool} at all`, default: false });
const rate = () => float({ min: 0, max: 1 });

/** What the facade may do, and the first values of what operators change while things run. Each tool has a switch and a share. */
export function migrationSchema(names: readonly Tool[]) {
  const own = z.object({
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
    CUTOVER_TOOLS: setting(furtherTools(), {
      about: 'Names of further tools, separated by commas; each has its own ENABLE_…_MIGRATION and …_ROLLOUT_PERCENTAGE',
      default: null,
    }),
  });
  // Switches, then shares: their names are known at run time only, and the types know the others.
  const perTool = Object.fromEntries([
    ...names.map((tool) => [switchVariable(tool), enabled(tool)]),
    ...names.map((tool) => [rolloutVariable(tool), percentage(tool)]),
  ]);
  const variables = own.extend(perTool) as unknown as typeof own;
  const schema = variables.transform((v, context) => {
    const possible = v.SHADOW_MODE_MAX_SAMPLES_PER_MINUTE * v.SHADOW_MODE_DURATION_MINUTES;
    if (v.SHADOW_MODE_DURATION_MINUTES > 0 && v.SHADOW_MODE_MIN_SAMPLES > possible)
      context.addIssue({
        code: 'custom',
        path: ['SHADOW_MODE_MIN_SAMPLES'],
        params: { with: ['SHADOW_MODE_MAX_SAMPLES_PER_MINUTE', 'SHADOW_MODE_DURATION_MINUTES'] },
        message: `must not be more than the ${Math.floor(possible)} comparisons that there can be: SHADOW_MODE_MAX_SAMPLES_PER_MINUTE is ${v.SHADOW_MODE_MAX_SAMPLES_PER_MINUTE}, SHADOW_MODE_DURATION_MINUTES is ${v.SHADOW_MODE_DURATION_MINUTES}`,
      });
    const given = v as Readonly<Record<string, unknown>>;
    const tools: Record<Tool, ToolSettings> = {};
    for (const tool of names) {
      const variable = switchVariable(tool);
      tools[tool] = { enabled: given[variable] as boolean, share: given[rolloutVariable(tool)] as number, switch: variable };
    }
    return {
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
      tools,
    };
  });
  return { title: 'Migration', variables, schema };
}
