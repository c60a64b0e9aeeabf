import { randomUUID } from 'node:crypto';
import { type Config, settingsOfTool } from '../config/index.ts';
import { ValidationError } from '../domain/errors.ts';
import type { Stage } from '../domain/routing.ts';
import { decideMove, missingEvidence, type SeenInStage, type StageRules, shareIn, stageAfter, words } from '../domain/stages.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { MirrorLedger } from '../ledger/mirror-ledger.ts';
import type { RolloutEvent, RolloutLedger, RolloutRecord } from '../ledger/rollout-ledger.ts';
import type { Stores } from './stores.ts';

export interface StageDependencies {
  rollouts: RolloutLedger;
  mirrors: Pick<MirrorLedger, 'unifiedFiles'>;
  ledger: Pick<Ledger, 'traffic'>;
  workflows: {
    rolloutRuns(tool: string): Promise<boolean>;
    mirrorCounts(tool: string, since: string | null): Promise<SeenInStage['mirrors']>;
  };
  /** Of the configuration, where nothing was decided yet. */
  configured: { share: number; switchesOff: readonly string[] };
  now(): number;
}

/** What a tool's stage is read from and moved in. @throws ValidationError `unknown_tool` */
export function stageDependencies(
  { migration }: Pick<Config, 'migration'>,
  tool: string,
  { rollouts, mirrors, ledger }: Pick<Stores, 'rollouts' | 'mirrors' | 'ledger'>,
  workflows: StageDependencies['workflows'],
  now: () => number = Date.now,
): StageDependencies {
  const own = settingsOfTool(migration, tool);
  const switchesOff = [...(migration.enabled ? [] : ['ENABLE_UNIFIED_MANAGER']), ...(own.enabled ? [] : [own.switch])];
  return { rollouts, mirrors, ledger, workflows, configured: { share: own.share, switchesOff }, now };
}

/** What the configuration asks of a stage before the next one. */
export function stageRules(
  { rollouts, migration }: Pick<Config, 'rollouts' | 'migration'>,
  { quietForMs = DAY_MS, mismatchTolerance = 0 }: Partial<Pick<StageRules, 'quietForMs' | 'mismatchTolerance'>> = {},
): StageRules {
  return {
    minSamples: rollouts.minSamples,
    threshold: rollouts.errorThreshold,
    minComparisons: migration.shadow.minSamples,
    shadowThreshold: migration.shadow.errorThreshold,
    mismatchTolerance,
    quietForMs,
  };
}

export interface StageReport extends SeenInStage {
  tool: string;
  /** When it came into this stage; null: nothing was decided about it. */
  since: string | null;
  next: Stage | null;
  /** What the next stage still needs. */
  missing: string[];
}

export interface MoveRequest {
  tool: string;
  to: Stage;
  rules: StageRules;
  /** Does without the evidence. */
  force: boolean;
  by: string;
  reason: string | null;
}

const DAY_MS = 86_400_000;
const EVENTS = 10_000;
/** So many that are missing are counted; more make no difference. */
const MISSING = 1_000;
/** Traffic is counted by the minute. */
const MINUTE_MS = 60_000;

/** A tool's stage and what was seen in it. */
export async function readStage(tool: string, rules: StageRules, deps: StageDependencies): Promise<StageReport> {
  return (await look(tool, rules, deps)).report;
}

/**
 * Moves a tool to the stage before or after the one that it is in. The move is a line of the audit with its evidence, and what is seen
 * from then on counts under a new epoch.
 * @throws ValidationError `stage_refused` with all reasons; LedgerError `stage_moved` where somebody else was first
 */
export async function moveStage({ tool, to, rules, force, by, reason }: MoveRequest, deps: StageDependencies): Promise<RolloutRecord> {
  const { report, record } = await look(tool, rules, deps);
  const move = decideMove(report, to, rules);
  if (!move.allowed && !(force && move.forcible)) {
    const hint = move.forcible ? '. To do without that evidence: --force --reason WHY' : '';
    throw new ValidationError(`${tool} stays in the stage ${words(report.stage)}: ${move.reasons.join('; ')}${hint}`, {
      code: 'stage_refused',
    });
  }
  const { tool: _, next: __, ...evidence } = report;
  return await deps.rollouts.moveStage(
    {
      ...{ decisionId: randomUUID(), tool, decision: 'stage_moved', decidedBy: by, workflowId: null, runId: null },
      reason: reason ?? `${words(report.stage)} → ${words(to)}`,
      state: {
        ...{ stage: to, share: shareIn(report, to), nextEpoch: true },
        // What a ramp was ended with says nothing about a stage that is none.
        status: record?.status === 'completed' && ['ramp_down', 'complete'].includes(to) ? 'completed' : 'idle',
      },
      evidence: { ...evidence, epoch: record?.epoch ?? 0, forced: !move.allowed },
    },
    record,
  );
}

async function look(
  tool: string,
  rules: StageRules,
  deps: StageDependencies,
): Promise<{ report: StageReport; record: RolloutRecord | null }> {
  const { rollouts, mirrors, ledger, workflows, configured, now } = deps;
  const record = await rollouts.rollout(tool);
  const stage = record?.stage ?? (configured.share > 0 ? 'live' : 'off');
  const since = record === null ? null : await enteredAt(rollouts, tool, stage);
  const [evidence, counts, rolloutRuns, traffic, missing] = await Promise.all([
    rollouts.evidence(tool, record?.epoch ?? 0),
    workflows.mirrorCounts(tool, since),
    workflows.rolloutRuns(tool),
    ledger.traffic(new Date(now() - rules.quietForMs - MINUTE_MS).toISOString()),
    mirrors.unifiedFiles(tool, { since, missingOnly: true, after: null, limit: MISSING }),
  ]);
  const legacy = evidence.arms.legacy ?? { operations: 0, failures: 0 };
  const pairs = { both: 0, neither: 0, candidateOnly: 0, legacyOnly: 0, ...evidence.pairs };
  const lastAt = traffic.find((used) => used.tool === tool && used.arm === 'legacy')?.lastAt;
  const seen: SeenInStage = {
    ...{ stage, share: record?.share ?? configured.share, switchesOff: configured.switchesOff, rolloutRuns },
    answered: legacy.operations - legacy.failures,
    candidate: evidence.arms.unified ?? { operations: 0, failures: 0 },
    mirrors: counts,
    comparisons: {
      total: pairs.both + pairs.neither + pairs.candidateOnly + pairs.legacyOnly,
      candidateOnly: pairs.candidateOnly,
      compared: evidence.mismatches.compared,
      differing: evidence.mismatches.differing,
    },
    legacyQuietMs: lastAt === undefined ? null : Math.max(0, now() - Date.parse(lastAt) - MINUTE_MS),
    onlyAtUnified: missing.length,
  };
  return { report: { tool, ...seen, since, next: stageAfter(stage), missing: missingEvidence(seen, rules) }, record };
}

/** When the tool last came into the stage that it is in. */
async function enteredAt(rollouts: RolloutLedger, tool: string, stage: Stage): Promise<string | null> {
  let entered: string | null = null;
  for (let after: number | null = null; ; ) {
    const page: RolloutEvent[] = await rollouts.events(tool, { after, limit: EVENTS });
    for (const { at, stageBefore, stageAfter: then } of page) if (then === stage && stageBefore !== stage) entered = at;
    after = page.at(-1)?.id ?? null;
    if (page.length < EVENTS) return entered;
  }
}
