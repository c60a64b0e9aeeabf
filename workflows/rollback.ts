import { proxyActivities, setCurrentDetails, upsertSearchAttributes, uuid4 } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { DECIDE } from './activity-options.ts';
import { type RollbackInput, SHARE, STATUS, TOOL } from './contract.ts';

const { decideRollout } = proxyActivities<Activities>(DECIDE);

/**
 * Takes back what no rollout guards any more: the share of a completed one or one that was set by hand, and the stages in which unified
 * answers everything. Legacy answers afterwards.
 */
export async function rollback({ tool, by, reason }: RollbackInput): Promise<void> {
  upsertSearchAttributes([
    { key: TOOL, value: tool },
    { key: STATUS, value: 'running' },
  ]);
  await decideRollout({
    ...{ decisionId: uuid4(), tool, decision: 'rolled_back', decidedBy: by, reason: reason ?? 'no reason given' },
    ...{ state: { stage: 'live', share: 0, status: 'rolled_back' }, evidence: {} },
  });
  setCurrentDetails(`**rolled back**: 0 % of ${tool}`);
  upsertSearchAttributes([
    { key: STATUS, value: 'rolled_back' },
    { key: SHARE, value: 0 },
  ]);
}
