import { z } from 'zod';
import type { JsonValue } from '../domain/comparison.ts';
import type { SeenMinute } from '../domain/rejudge.ts';
import type { CountedEvidence } from '../domain/rollout-evidence.ts';
import { STAGES } from '../domain/routing.ts';
import { createDataApi, type DataApiOptions } from './data-api.ts';
import type { FacadeState, RolloutDecision, RolloutEvent, RolloutLedger, RolloutRecord } from './rollout-ledger.ts';
import { row, storable } from './rows.ts';

const Json = z.json() as z.ZodType<JsonValue>;
const Status = z.enum(['idle', 'running', 'paused', 'awaiting_approval', 'guarding', 'completed', 'rolled_back']);
const JsonObject = z.record(z.string(), Json);
const Pairs = z.partialRecord(z.enum(['both', 'neither', 'candidateOnly', 'legacyOnly']), z.number());

const Rollout: z.ZodType<RolloutRecord> = row(
  z.object({
    tool: z.string(),
    stage: z.enum(STAGES),
    share: z.number(),
    status: Status,
    step: z.number(),
    steps: z.array(z.number()),
    settings: JsonObject,
    epoch: z.number(),
    workflowId: z.string().nullable(),
    runId: z.string().nullable(),
    reason: z.string().nullable(),
    startedAt: z.string().nullable(),
    updatedAt: z.string(),
  }),
);

const Event: z.ZodType<RolloutEvent> = row(
  z.object({
    id: z.number(),
    tool: z.string(),
    at: z.string(),
    decision: z.string(),
    decidedBy: z.string(),
    reason: z.string(),
    stageBefore: z.enum(STAGES).nullable(),
    stageAfter: z.enum(STAGES).nullable(),
    shareBefore: z.number().nullable(),
    shareAfter: z.number().nullable(),
    step: z.number().nullable(),
    workflowId: z.string().nullable(),
    evidence: JsonObject,
  }),
);

const Arm = z.object({ operations: z.number(), failures: z.number() });
const Evidence: z.ZodType<CountedEvidence> = z.object({
  arms: z.partialRecord(z.enum(['legacy', 'unified']), Arm),
  pairs: Pairs,
  mismatches: row(
    z.object({ compared: z.number(), differing: z.number(), slow: z.number(), candidateOnly: z.number(), controlOnly: z.number() }),
  ),
  fields: z.record(z.string(), z.number()),
  breaker: z.boolean(),
});

const Minute: z.ZodType<SeenMinute> = z.object({
  minute: z.string(),
  what: z.enum(['legacy', 'unified', 'both', 'neither', 'candidateOnly', 'legacyOnly']),
  count: z.number(),
  failures: z.number(),
});

const State: z.ZodType<FacadeState> = z.object({
  rollouts: z.array(
    z.object({
      tool: z.string(),
      stage: z.enum(STAGES),
      share: z.number(),
      epoch: z.number(),
      status: Status,
    }),
  ),
  settings: JsonObject,
});

/** Rollouts in a Supabase project: each method is one function of `supabase/migrations`, called once. */
export function createSupabaseRolloutLedger(options: DataApiOptions): RolloutLedger {
  const call = createDataApi(options);
  return {
    decide: (decision) => call('decide_rollout', { p_decision: decisionArgument(decision) }, Rollout),
    moveStage: (decision, from) =>
      call('move_stage', { p_decision: decisionArgument(decision), p_stage: from?.stage ?? null, p_epoch: from?.epoch ?? 0 }, Rollout),
    async rollout(tool) {
      const [found] = await call('list_rollouts', { p_tool: storable(tool) }, z.array(Rollout));
      return found ?? null;
    },
    rollouts: () => call('list_rollouts', {}, z.array(Rollout)),
    events: (tool, { after, limit }) =>
      call('list_rollout_events', { p_tool: storable(tool), p_after: after, p_limit: limit }, z.array(Event)),
    evidence: (tool, epoch) => call('rollout_evidence', { p_tool: storable(tool), p_epoch: epoch }, Evidence),
    stepMinutes: (tool, epoch) => call('list_step_minutes', { p_tool: storable(tool), p_epoch: epoch }, z.array(Minute)),
    recordOutcomes: (batchId, counts) => call('record_operation_outcomes', { p_batch_id: batchId, p_outcomes: counts }, z.boolean()),
    facadeState: () => call('get_facade_state', {}, State),
    async setOperatorSetting(key, value, setBy) {
      await call('set_operator_setting', { p_key: key, p_value: value, p_set_by: storable(setBy) }, z.boolean());
    },
  };
}

const decisionArgument = ({ state: { nextEpoch = false, ...state }, ...decision }: RolloutDecision) => ({
  decision_id: decision.decisionId,
  tool: storable(decision.tool),
  decision: decision.decision,
  decided_by: storable(decision.decidedBy),
  reason: storable(decision.reason),
  state: { ...state, next_epoch: nextEpoch },
  workflow_id: decision.workflowId,
  run_id: decision.runId,
  evidence: decision.evidence,
});
