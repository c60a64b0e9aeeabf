import { settingsOfTool } from '../config/index.ts';
import { FileNotFoundError, ValidationError } from '../domain/errors.ts';
import type { RolloutPlan } from '../domain/rollout.ts';
import type { NewRollout } from '../domain/rollout-plan.ts';
import { isLegacyAlone, refusalOfRollout, words } from '../domain/stages.ts';
import type { RolloutEvent, RolloutLedger, RolloutRecord } from '../ledger/rollout-ledger.ts';
import { type ShadowDependencies, shadowSettings } from './shadow-settings.ts';

const EVENTS = 10_000;

type Tests = RolloutPlan['rules']['tests'];

export interface RolloutRequest extends Omit<NewRollout, 'rules' | 'firstStep'> {
  rules?: Partial<Omit<RolloutPlan['rules'], 'steps' | 'tests'>>;
  /** What is not named is on; `pairs` only where the tool is shadowed. */
  tests?: Partial<Tests>;
  /** Begins at the step at which the last rollout was rolled back. */
  fromFailedStep?: boolean;
}

/** @throws ValidationError `stage_refused`, `invalid_rollout`, and what `workflows.startRollout` throws */
export async function startRollout(
  { tests = {}, rules, fromFailedStep = false, ...request }: RolloutRequest,
  {
    rollouts,
    workflows,
    migration,
  }: {
    rollouts: RolloutLedger;
    /** Connected when all that is known without it is right. */
    workflows: () => Promise<{ startRollout(rollout: NewRollout): Promise<RolloutPlan> }>;
    migration: ShadowDependencies['migration'];
  },
): Promise<RolloutPlan> {
  const { tool } = request;
  const stage = (await rollouts.rollout(tool))?.stage;
  const refusal = stage === undefined ? null : refusalOfRollout(tool, stage);
  if (refusal !== null) throw new ValidationError(refusal, { code: 'stage_refused' });
  settingsOfTool(migration, tool);
  // Without shadowing there are no pairs, and a test without data would hold the ramp for ever.
  const isShadowed = (await shadowSettings(tool, { ledger: rollouts, migration })).settings.enabled;
  const from = fromFailedStep ? await failedStep(rollouts, tool) : 0;
  return await (await workflows()).startRollout({
    ...request,
    rules: {
      ...rules,
      tests: { wald: tests.wald ?? true, liveControl: tests.liveControl ?? true, pairs: (tests.pairs ?? true) && isShadowed },
    },
    firstStep: from,
  });
}

/** A tool's rollout, and what its workflow says while it runs. */
export interface RolloutStatusOf<P> extends RolloutRecord {
  progress: P | null;
}

/** @param tool absent: every tool of which something was decided */
export async function rolloutStatuses<P>(
  tool: string | undefined,
  { rollouts, workflows }: { rollouts: RolloutLedger; workflows: () => Promise<{ rolloutProgress(tool: string): Promise<P | null> }> },
): Promise<RolloutStatusOf<P>[]> {
  const records = tool === undefined ? await rollouts.rollouts() : [await rollouts.rollout(tool)].filter((record) => record !== null);
  return await Promise.all(
    records.map(async (record) => ({
      ...record,
      progress: isOver(record) ? null : await (await workflows()).rolloutProgress(record.tool),
    })),
  );
}

export const isOver = ({ status }: Pick<RolloutRecord, 'status'>): boolean => ['idle', 'completed', 'rolled_back'].includes(status);

export interface RolledBack {
  /** Why nothing had to be done; null: it was done now. */
  nothing: string | null;
  /** What is in force now; null: nothing was ever decided about the tool. */
  record: RolloutRecord | null;
}

/** Lets legacy answer everything, whatever state the rollout is in. */
export async function rollBack(
  tool: string,
  why: { by: string; reason?: string },
  {
    rollouts,
    workflows,
  }: {
    rollouts: RolloutLedger;
    workflows: () => Promise<{ rollbackRollout(tool: string, why: { by: string; reason?: string }): Promise<void> }>;
  },
): Promise<RolledBack> {
  const before = await rollouts.rollout(tool);
  if (before !== null && isLegacyAlone(before.stage))
    return {
      nothing: `${tool} is in the stage ${words(before.stage)}: legacy answers everything already, and nothing was changed.`,
      record: before,
    };
  if (before?.status === 'rolled_back') return { nothing: `${tool} is rolled back already.`, record: before };
  await (await workflows()).rollbackRollout(tool, why);
  return { nothing: null, record: await rollouts.rollout(tool) };
}

/** Every decision about a tool, the oldest first, page by page. @param after the id of the last one that is known */
export async function* rolloutEvents(
  rollouts: Pick<RolloutLedger, 'events'>,
  tool: string,
  after: number | null = null,
): AsyncGenerator<RolloutEvent> {
  for (let last = after; ; ) {
    const page: RolloutEvent[] = await rollouts.events(tool, { after: last, limit: EVENTS });
    yield* page;
    last = page.at(-1)?.id ?? null;
    if (page.length < EVENTS) return;
  }
}

async function failedStep(rollouts: RolloutLedger, tool: string): Promise<number> {
  const record = await rollouts.rollout(tool);
  if (record?.status === 'rolled_back') return record.step;
  throw new ValidationError(`The last rollout of ${tool} was not rolled back: leave --from-failed-step out`, { code: 'invalid_rollout' });
}

export const noRollout = (tool: string) =>
  new FileNotFoundError(`No rollout of ${tool} was ever started. Start one with: npx cutover rollout start ${tool}`, {
    code: 'rollout_not_found',
  });
