import { settingsOfTool, type ToolSettings } from '../config/index.ts';
import { ValidationError } from '../domain/errors.ts';
import { overridesOf, type ShadowOverrides, type ShadowSettings, shadowInForce, shadowKey } from '../domain/shadow.ts';
import type { RolloutLedger } from '../ledger/rollout-ledger.ts';

export interface ShadowDependencies {
  ledger: Pick<RolloutLedger, 'facadeState' | 'setOperatorSetting'>;
  /** The first values, and the tools there are. */
  migration: { shadow: ShadowSettings; tools: Readonly<Record<string, ToolSettings>> };
  now: () => number;
}

/** What of the settings an operator can name. */
export type ShadowChange = Omit<ShadowOverrides, 'enabled' | 'startedAt'>;

/** What an operator has set for a tool, and what is in force with it. */
export async function shadowSettings(
  tool: string,
  { ledger, migration }: { ledger: Pick<RolloutLedger, 'facadeState'>; migration: ShadowDependencies['migration'] },
): Promise<{ overrides: ShadowOverrides; settings: ShadowSettings }> {
  settingsOfTool(migration, tool);
  const { rollouts, settings } = await ledger.facadeState();
  const overrides = overridesOf(settings[shadowKey(tool)]);
  const stage = rollouts.find((rollout) => rollout.tool === tool)?.stage ?? 'off';
  return { overrides, settings: shadowInForce(migration.shadow, overrides, stage) };
}

async function change(
  tool: string,
  by: string,
  what: (before: ShadowOverrides) => ShadowOverrides,
  dependencies: ShadowDependencies,
): Promise<ShadowSettings> {
  const { overrides } = await shadowSettings(tool, dependencies);
  await dependencies.ledger.setOperatorSetting(shadowKey(tool), { ...what(overrides) }, by);
  return (await shadowSettings(tool, dependencies)).settings;
}

/** Begins to compare, or begins anew with these settings alone; the duration counts from now. @throws ValidationError `unknown_tool` */
export const startShadow = (tool: string, settings: ShadowChange, by: string, dependencies: ShadowDependencies): Promise<ShadowSettings> =>
  change(tool, by, () => ({ ...settings, enabled: true, startedAt: new Date(dependencies.now()).toISOString() }), dependencies);

/** Changes what is named and keeps the rest. @throws ValidationError `nothing_to_set`, `unknown_tool` */
export async function setShadow(
  tool: string,
  settings: ShadowChange,
  by: string,
  dependencies: ShadowDependencies,
): Promise<ShadowSettings> {
  if (Object.keys(settings).length === 0)
    throw new ValidationError('Say what to change: --sample-rate, --max-per-minute, --duration, …', { code: 'nothing_to_set' });
  return await change(tool, by, (before) => ({ ...before, ...settings }), dependencies);
}

/** Compares no more; what was recorded stays. */
export const stopShadow = (tool: string, by: string, dependencies: ShadowDependencies): Promise<ShadowSettings> =>
  change(tool, by, (before) => ({ ...before, enabled: false }), dependencies);
