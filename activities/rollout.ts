import { activityInfo } from '@temporalio/activity';
import type { CountedEvidence } from '../src/domain/rollout-evidence.ts';
import type { RolloutDecision, RolloutLedger } from '../src/ledger/rollout-ledger.ts';

export interface RolloutActivitiesDependencies {
  rollouts: RolloutLedger;
}

/** What the workflow `rollout` is made of: reading what a step has seen, and writing what was decided. */
export function createRolloutActivities({ rollouts }: RolloutActivitiesDependencies) {
  return {
    /** Idempotent by the decision's id. @returns the tool's epoch afterwards */
    async decideRollout(decision: Omit<RolloutDecision, 'workflowId' | 'runId'>): Promise<number> {
      const { workflowId = null, runId = null } = activityInfo().workflowExecution ?? {};
      return (await rollouts.decide({ ...decision, workflowId, runId })).epoch;
    },

    /** Reads only. */
    async readEvidence(tool: string, epoch: number): Promise<CountedEvidence> {
      return await rollouts.evidence(tool, epoch);
    },
  };
}
