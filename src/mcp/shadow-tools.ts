import { z } from 'zod';
import { settingsOfTool } from '../config/index.ts';
import type { ShadowSettings } from '../domain/shadow.ts';
import { type ShadowChange, setShadow, shadowSettings, startShadow, stopShadow } from '../manager/shadow-settings.ts';
import { reportLines, settingsLine } from '../manager/shadow-text.ts';
import { pageOf } from './page.ts';
import { ShadowInForce, ShadowReport, toolNamed } from './shapes.ts';
import { type Tool, type ToolContext, tool } from './tool.ts';

const MINUTE_MS = 60_000;
const YEAR_MINUTES = 525_600;

const SETTINGS = {
  sample_rate: z.number().min(0).max(1).optional().describe('share of uploads that are compared'),
  max_per_minute: z.int().min(1).max(1_000_000).optional().describe('comparisons a minute, of all processes together'),
  duration_minutes: z.number().min(0).max(YEAR_MINUTES).optional().describe('end by itself after this; 0: never'),
  error_threshold: z.number().gt(0).lt(1).optional().describe('share of failures of the candidate alone above which it rests'),
  min_samples: z.int().min(1).max(1_000_000).optional().describe('comparisons before that threshold counts'),
  cooldown_minutes: z.number().min(0).max(YEAR_MINUTES).optional().describe('how long it rests then'),
  control_runs: z.boolean().optional().describe('run the old path a second time, to know what differs by chance alone'),
};
type Given = z.output<z.ZodObject<typeof SETTINGS>>;

function chosen(given: Given): ShadowChange {
  const named: Record<string, unknown> = {
    sampleRate: given.sample_rate,
    maxSamplesPerMinute: given.max_per_minute,
    durationMs: given.duration_minutes === undefined ? undefined : given.duration_minutes * MINUTE_MS,
    errorThreshold: given.error_threshold,
    minSamples: given.min_samples,
    cooldownMs: given.cooldown_minutes === undefined ? undefined : given.cooldown_minutes * MINUTE_MS,
    controlRuns: given.control_runs,
  };
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
}

const dependencies = async ({ world, now }: ToolContext) => ({
  ledger: (await world.services().stores()).rollouts,
  migration: world.config().migration,
  now,
});
const output = z.object({ tool: z.string(), settings: ShadowInForce });
const told = (of: string, settings: ShadowSettings, more: readonly string[] = []) => ({
  data: { tool: of, settings },
  text: [`${of}: ${settingsLine(settings)}`, ...more],
});
const SOON = 'Every facade knows it within 5 seconds.';

export const SHADOW_TOOLS: readonly Tool[] = [
  tool({
    name: 'get_shadow_status',
    command: 'shadow status',
    title: 'Settings of shadowing',
    description: 'Which share of uploads is compared with the old path, and the other settings in force for a tool.',
    kind: 'reads',
    input: z.strictObject({ tool: toolNamed }),
    output,
    async run({ tool: of }, _, context) {
      return told(of, (await shadowSettings(of, await dependencies(context))).settings);
    },
  }),

  tool({
    name: 'get_shadow_report',
    command: 'shadow report',
    title: 'Report of shadow comparisons',
    description: 'How many comparisons there were, which fields differ how often, examples, and how long both sides took.',
    kind: 'reads',
    input: z.strictObject({
      tool: toolNamed,
      since: z.iso.datetime({ offset: true }).optional().describe('only those since then: 2026-01-31T12:00:00Z'),
      examples: z.int().min(0).max(100).default(5).describe('differing comparisons to show'),
    }),
    output: z.object({ tool: z.string(), since: z.string().nullable(), report: ShadowReport, examplesLeftOut: z.int() }),
    async run({ tool: of, since = null, examples }, _, context) {
      const { migration, mcp } = context.world.config();
      settingsOfTool(migration, of);
      const { shadow } = await context.world.services().stores();
      const report = await shadow.shadowReport(of, since === null ? null : new Date(since).toISOString(), examples);
      // Half of the room is for what is counted.
      const { items } = await pageOf(report.examples, { keyOf: () => '', maxTokens: mcp.maxOutputTokens / 2 });
      const shown = { ...report, examples: items };
      return {
        data: { tool: of, since, report: shown, examplesLeftOut: report.examples.length - items.length },
        text: reportLines(of, shown),
      };
    },
  }),

  tool({
    name: 'start_shadow',
    command: 'shadow start',
    title: 'Start shadowing',
    description:
      'Begins to compare the new upload path with the old one on a sample of real uploads, or begins anew with these settings; the duration counts from now. Users notice nothing.',
    kind: 'sets',
    input: z.strictObject({ tool: toolNamed, ...SETTINGS }),
    output,
    async run({ tool: of, ...given }, _, context) {
      const settings = await startShadow(of, chosen(given), context.by, await dependencies(context));
      const off = context.world.config().migration.enabled
        ? []
        : ['ENABLE_UNIFIED_MANAGER is off here: where the facade runs it must be on, or nothing is compared.'];
      return told(of, settings, [SOON, ...off]);
    },
  }),

  tool({
    name: 'set_shadow',
    command: 'shadow set',
    title: 'Change shadowing',
    description: 'Changes some settings of shadowing and keeps the others.',
    kind: 'sets',
    input: z.strictObject({ tool: toolNamed, ...SETTINGS }),
    output,
    async run({ tool: of, ...given }, _, context) {
      return told(of, await setShadow(of, chosen(given), context.by, await dependencies(context)), [SOON]);
    },
  }),

  tool({
    name: 'stop_shadow',
    command: 'shadow stop',
    title: 'Stop shadowing',
    description: 'Compares no more; what was recorded stays.',
    kind: 'sets',
    input: z.strictObject({ tool: toolNamed }),
    output,
    async run({ tool: of }, _, context) {
      return told(of, await stopShadow(of, context.by, await dependencies(context)), [SOON]);
    },
  }),
];
