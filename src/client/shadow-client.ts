import type { Client } from '@temporalio/client';
import { WorkflowIdConflictPolicy } from '@temporalio/common';
import { legacyQueue, type ShadowComparisonInput, shadowComparisonWorkflowId } from '../../workflows/contract.ts';
import type { ModelKind } from '../domain/time-limits.ts';
import type { Asked } from './rollout-client.ts';
import { type SettingsConfig, uploadSettings } from './settings.ts';

export type NewShadowComparison = Omit<ShadowComparisonInput, 'settings' | 'legacyQueue'> & {
  /** Whether the control runs a second time. */
  controlRuns?: boolean;
  /** What kind of model the file is for: the candidate gets the time that the control had. */
  model?: ModelKind | undefined;
};

/** Starts shadow comparisons. */
export function createShadowClient(client: Client, config: SettingsConfig, asked: Asked) {
  const { taskQueue } = config.temporal;
  return {
    /** The same operation is compared once. Resolves when Temporal has taken it. @throws ValidationError `already_started` */
    async startShadowComparison({ controlRuns = false, model, ...comparison }: NewShadowComparison): Promise<void> {
      await asked('shadow comparison', () =>
        client.workflow.start('shadow-comparison', {
          workflowId: shadowComparisonWorkflowId(comparison.operationId),
          // What was laid there for a second one of the same operation is removed by whoever is told that there is one.
          workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
          taskQueue,
          args: [
            {
              ...comparison,
              ...(controlRuns ? { legacyQueue: legacyQueue(taskQueue) } : {}),
              settings: uploadSettings(config, comparison.provider, model),
            } satisfies ShadowComparisonInput,
          ],
        }),
      );
    },
  };
}
