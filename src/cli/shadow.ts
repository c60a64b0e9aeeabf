import { type Command, InvalidArgumentError, Option } from 'commander';
import { settingsOfTool } from '../config/index.ts';
import type { ShadowSettings } from '../domain/shadow.ts';
import { type ShadowChange, setShadow, shadowSettings, startShadow, stopShadow } from '../manager/shadow-settings.ts';
import { reportLines, settingsLine } from '../manager/shadow-text.ts';
import type { CommandContext } from './context.ts';
import { wholeNumber } from './options.ts';
import { duration, rate } from './rollout-options.ts';
import { userName } from './user-name.ts';

interface SetOptions {
  sampleRate?: number;
  maxPerMinute?: number;
  duration?: number;
  errorThreshold?: number;
  minSamples?: number;
  cooldown?: number;
  controlRuns?: boolean;
  json?: boolean;
}
const DAY = /^\d{4}-\d\d-\d\d/;

/** `shadow start|set|stop|status|report`. */
export function registerShadow(program: Command, context: CommandContext): void {
  const { output } = context;
  const shadow = program.command('shadow').description('compare the new upload path with the old one on a sample of real uploads');
  const about = (name: string, description: string) =>
    shadow.command(name).description(description).argument('<tool>', 'a tool, such as kimi').option('--json', 'print one JSON document');
  const dependencies = async () => ({
    ledger: (await context.services().stores()).rollouts,
    migration: context.config().migration,
    now: context.now,
  });
  const by = userName();

  async function tell(tool: string, settings: ShadowSettings, json: boolean | undefined): Promise<void> {
    if (json === true) await output.json({ tool, ...settings });
    else await output.data(`${tool}: ${settingsLine(settings)}`);
    output.message('Every facade knows it within 5 seconds.');
  }

  const start = about('start', 'begin to compare, or begin anew with these settings; counts the duration from now');
  for (const option of setOptions()) start.addOption(option);
  start.action(async (tool: string, { json, ...options }: SetOptions) => {
    await tell(tool, await startShadow(tool, chosen(options), by, await dependencies()), json);
    if (!context.config().migration.enabled)
      output.warning('ENABLE_UNIFIED_MANAGER is off here: where the facade runs it must be on, or nothing is compared.');
  });
  const set = about('set', 'change some settings and keep the others');
  for (const option of setOptions()) set.addOption(option);
  set.action(async (tool: string, { json, ...options }: SetOptions) => {
    await tell(tool, await setShadow(tool, chosen(options), by, await dependencies()), json);
  });
  about('stop', 'compare no more; what was recorded stays').action(async (tool: string, { json }: SetOptions) => {
    await tell(tool, await stopShadow(tool, by, await dependencies()), json);
  });
  about('status', 'the settings in force').action(async (tool: string, { json }: SetOptions) => {
    const { settings } = await shadowSettings(tool, await dependencies());
    if (json === true) await output.json({ tool, ...settings });
    else await output.data(`${tool}: ${settingsLine(settings)}`);
  });
  about('report', 'how many comparisons, which fields differ how often, examples, and how long both took')
    .option('--since <time>', 'only those since then: 1h, 2d, or a time such as 2026-01-31T12:00:00Z', since(context.now))
    .addOption(new Option('--examples <n>', 'differing comparisons to show').argParser(wholeNumber(0, 100)).default(5))
    .action(async (tool: string, options: { since?: string; examples: number; json?: boolean }) => {
      settingsOfTool(context.config().migration, tool);
      const stores = await context.services().stores();
      const report = await stores.shadow.shadowReport(tool, options.since ?? null, options.examples);
      if (options.json === true) await output.json({ tool, since: options.since ?? null, ...report });
      else for (const line of reportLines(tool, report)) await output.data(line);
    });
}

const setOptions = (): Option[] => [
  new Option('--sample-rate <rate>', 'share of uploads that are compared: 0.1 or 10%').argParser(wholeRate),
  new Option('--max-per-minute <n>', 'comparisons a minute, of all processes together').argParser(wholeNumber(1, 1_000_000)),
  new Option('--duration <time>', 'end by itself after this: 90s, 15m, 2h; 0s: never').argParser(duration),
  new Option('--error-threshold <rate>', 'share of failures of the candidate alone above which it rests').argParser(rate),
  new Option('--min-samples <n>', 'comparisons before that threshold counts').argParser(wholeNumber(1, 1_000_000)),
  new Option('--cooldown <time>', 'how long it rests then').argParser(duration),
  new Option('--control-runs', 'run the old path a second time, to know what differs by chance alone'),
  new Option('--no-control-runs', 'run it once').hideHelp(),
];

/** Both ends included: all may be compared. */
function wholeRate(text: string): number {
  const value = /^\d+(\.\d+)?%$/.test(text) ? Number.parseFloat(text) / 100 : /^(\d+|\d*\.\d+)$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= 0 && value <= 1)) throw new InvalidArgumentError('It must be from 0 to 1, such as 0.1 or 10%.');
  return value;
}

function chosen(options: SetOptions): ShadowChange {
  const named: Record<string, unknown> = {
    sampleRate: options.sampleRate,
    maxSamplesPerMinute: options.maxPerMinute,
    durationMs: options.duration,
    errorThreshold: options.errorThreshold,
    minSamples: options.minSamples,
    cooldownMs: options.cooldown,
    controlRuns: options.controlRuns,
  };
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
}

/** The 31st of February would be read as a day of March. */
function isDay(day: string): boolean {
  const at = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(day);
}

const since =
  (now: () => number) =>
  (text: string): string => {
    const [day] = DAY.exec(text) ?? [];
    if (day === undefined) return new Date(now() - duration(text)).toISOString();
    const time = Date.parse(text);
    if (Number.isNaN(time) || !isDay(day))
      throw new InvalidArgumentError('It must be a time such as 2026-01-31T12:00:00Z, or how long ago: 1h, 2d.');
    return new Date(time).toISOString();
  };
