import { activityInfo } from '@temporalio/activity';
import type { CountedEvidence } from '../src/domain/rollout-evidence.ts';
import type { RolloutDecision, RolloutLedger, RolloutRecord } from '../src/ledger/rollout-ledger.ts';

export interface RolloutActivitiesDependencies {
  rollouts: RolloutLedger;
  /** Told of each decision that the ledger has. `seconds`: how long the ramp took, where it is over. */
  onRolloutDecided?: (decided: { tool: string; decision: string; seconds: number | null }) => void;
}

/** What the workflow `rollout` is made of: reading what a step has seen, and writing what was decided. */
export function createRolloutActivities({ rollouts, onRolloutDecided }: RolloutActivitiesDependencies) {
  return {
    /** Idempotent by the decision's id. @returns the tool's epoch afterwards */
    async decideRollout(decision: Omit<RolloutDecision, 'workflowId' | 'runId'>): Promise<number> {
      const { workflowId = null, runId = null } = activityInfo().workflowExecution ?? {};
      const record = await rollouts.decide({ ...decision, workflowId, runId });
      onRolloutDecided?.({ tool: decision.tool, decision: decision.decision, seconds: endedAfter(record, decision.decision) });
      return record.epoch;
    },

    /** Reads only. */
    async readEvidence(tool: string, epoch: number): Promise<CountedEvidence> {
      return await rollouts.evidence(tool, epoch);
    },
  };
}

const ENDS: ReadonlySet<string> = new Set(['completed', 'rolled_back']);

/** By the database's clock alone, so that those of the workers do not matter. */
function endedAfter({ startedAt, updatedAt }: RolloutRecord, decision: string): number | null {
  return startedAt !== null && ENDS.has(decision) ? (Date.parse(updatedAt) - Date.parse(startedAt)) / 1000 : null;
}
