import { userInfo } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { settingsOfTool } from '../config/index.ts';
import { ValidationError } from '../domain/errors.ts';
import { formatDuration } from '../domain/format.ts';
import { overridesOf, type ShadowOverrides, type ShadowSettings, shadowInForce, shadowKey } from '../domain/shadow.ts';
import type { RolloutLedger } from '../ledger/rollout-ledger.ts';
import type { CommandContext } from './context.ts';
import { wholeNumber } from './options.ts';
import { duration, rate } from './rollout-options.ts';
import { reportLines } from './shadow-output.ts';

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
  const rollouts = async () => (await context.services().stores()).rollouts;
  const defaults = (): ShadowSettings => context.config().migration.shadow;

  async function change(tool: string, what: (before: ShadowOverrides) => ShadowOverrides, json: boolean | undefined): Promise<void> {
    settingsOfTool(context.config().migration, tool);
    const ledger = await rollouts();
    const overrides = what((await inForce(ledger, tool, defaults())).overrides);
    await ledger.setOperatorSetting(shadowKey(tool), { ...overrides }, userInfo().username);
    const { settings } = await inForce(ledger, tool, defaults());
    if (json === true) await output.json({ tool, ...settings });
    else await output.data(`${tool}: ${settingsLine(settings)}`);
    output.message('Every facade knows it within 5 seconds.');
  }

  const start = about('start', 'begin to compare, or begin anew with these settings; counts the duration from now');
  for (const option of setOptions()) start.addOption(option);
  start.action(async (tool: string, { json, ...options }: SetOptions) => {
    await change(tool, () => ({ ...chosen(options), enabled: true, startedAt: new Date(context.now()).toISOString() }), json);
    if (!context.config().migration.enabled)
      output.warning('ENABLE_UNIFIED_MANAGER is off here: where the facade runs it must be on, or nothing is compared.');
  });
  const set = about('set', 'change some settings and keep the others');
  for (const option of setOptions()) set.addOption(option);
  set.action(async (tool: string, { json, ...options }: SetOptions) => {
    if (Object.keys(options).length === 0)
      throw new ValidationError('Say what to change: --sample-rate, --max-per-minute, --duration, …', { code: 'nothing_to_set' });
    await change(tool, (before) => ({ ...before, ...chosen(options) }), json);
  });
  about('stop', 'compare no more; what was recorded stays').action(async (tool: string, { json }: SetOptions) => {
    await change(tool, (before) => ({ ...before, enabled: false }), json);
  });
  about('status', 'the settings in force').action(async (tool: string, { json }: SetOptions) => {
    settingsOfTool(context.config().migration, tool);
    const { settings } = await inForce(await rollouts(), tool, defaults());
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

/** What an operator has set for a tool, and what is in force with it. */
export async function inForce(
  ledger: Pick<RolloutLedger, 'facadeState'>,
  tool: string,
  defaults: ShadowSettings,
): Promise<{ overrides: ShadowOverrides; settings: ShadowSettings }> {
  const { rollouts, settings } = await ledger.facadeState();
  const overrides = overridesOf(settings[shadowKey(tool)]);
  const stage = rollouts.find((rollout) => rollout.tool === tool)?.stage ?? 'off';
  return { overrides, settings: shadowInForce(defaults, overrides, stage) };
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

function chosen(options: SetOptions): ShadowOverrides {
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

function settingsLine(settings: ShadowSettings): string {
  if (!settings.enabled) return 'nothing is compared';
  const until = settings.durationMs === 0 ? '' : `, for ${formatDuration(settings.durationMs)}`;
  const noise = settings.controlRuns ? ', with a second run of the old path' : '';
  return `${Number((settings.sampleRate * 100).toPrecision(4))} % of uploads are compared, at most ${settings.maxSamplesPerMinute} a minute${until}${noise}`;
}
