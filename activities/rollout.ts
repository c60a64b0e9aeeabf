import { activityInfo } from '@temporalio/activity';
import { LedgerError, ValidationError } from '../src/domain/errors.ts';
import type { CountedEvidence } from '../src/domain/rollout-evidence.ts';
import { isLegacyAlone, refusalOfRollout } from '../src/domain/stages.ts';
import type { RolloutDecision, RolloutLedger, RolloutRecord } from '../src/ledger/rollout-ledger.ts';

export interface RolloutActivitiesDependencies {
  rollouts: RolloutLedger;
  /** Told of each decision that the ledger has. `seconds`: how long the ramp took, where it is over. */
  onRolloutDecided?: (decided: { tool: string; decision: string; seconds: number | null }) => void;
}

/** Decisions that depend on the stage. */
const NEEDS_STAGE = new Set(['started', 'rolled_back']);

/** What the workflow `rollout` is made of: reading what a step has seen, and writing what was decided. */
export function createRolloutActivities({ rollouts, onRolloutDecided }: RolloutActivitiesDependencies) {
  return {
    /**
     * Idempotent by the decision's id. Changes nothing where a rollback finds that legacy answers everything already.
     * @returns the tool's epoch afterwards
     * @throws ValidationError `stage_refused` for a rollout in a stage in which its share means nothing
     */
    async decideRollout(decision: Omit<RolloutDecision, 'workflowId' | 'runId'>): Promise<number> {
      return decision.decision === 'started' ? await decide(decision) : await decide(decision).catch(notGivenUp);
    },

    /** Reads only. */
    async readEvidence(tool: string, epoch: number): Promise<CountedEvidence> {
      return await rollouts.evidence(tool, epoch);
    },
  };

  async function decide(decision: Omit<RolloutDecision, 'workflowId' | 'runId'>): Promise<number> {
    const now = NEEDS_STAGE.has(decision.decision) ? await rollouts.rollout(decision.tool) : null;
    if (now !== null && decision.decision === 'rolled_back' && isLegacyAlone(now.stage)) return now.epoch;
    const refusal = now === null || decision.decision !== 'started' ? null : refusalOfRollout(now.tool, now.stage);
    if (refusal !== null) throw new ValidationError(refusal, { code: 'stage_refused' });
    const { workflowId = null, runId = null } = activityInfo().workflowExecution ?? {};
    const record = await rollouts.decide({ ...decision, workflowId, runId });
    onRolloutDecided?.({ tool: decision.tool, decision: decision.decision, seconds: endedAfter(record, decision.decision) });
    return record.epoch;
  }
}

/** A ramp that is under way must not lose its guard: what the ledger refuses today (its disk is full, its key has changed) it may take tomorrow. */
function notGivenUp(error: unknown): never {
  if (!(error instanceof LedgerError) || error.retryable) throw error;
  throw new LedgerError(error.message, { code: error.code, retryable: true, cause: error });
}

const ENDS: ReadonlySet<string> = new Set(['completed', 'rolled_back']);

/** By the database's clock alone, so that those of the workers do not matter. */
function endedAfter({ startedAt, updatedAt }: RolloutRecord, decision: string): number | null {
  return startedAt !== null && ENDS.has(decision) ? (Date.parse(updatedAt) - Date.parse(startedAt)) / 1000 : null;
}
