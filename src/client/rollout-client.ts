import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import { WorkflowIdConflictPolicy } from '@temporalio/common';
import {
  pauseSignal,
  promoteSignal,
  type RollbackInput,
  type RolloutInput,
  type RolloutProgress,
  resumeSignal,
  rollbackSignal,
  rollbackWorkflowId,
  rolloutStatusQuery,
  rolloutWorkflowId,
  type SignalReason,
} from '../../workflows/contract.ts';
import { type Config, settingsOfTool } from '../config/index.ts';
import { FileNotFoundError, ValidationError } from '../domain/errors.ts';
import type { RolloutPlan } from '../domain/rollout.ts';
import { checkPlan, type NewRollout } from '../domain/rollout-plan.ts';

/** Wald's test may accept a bad candidate so often. */
const BETA = 0.05;
/** A day of evaluations each minute, and a history that stays short. */
const LOOKS_PER_RUN = 1000;

/**
 * The whole plan, checked.
 * @throws ValidationError `invalid_rollout`, `unknown_tool`, `switched_off`
 */
export function planRollout({ migration, rollouts }: Pick<Config, 'migration' | 'rollouts'>, asked: NewRollout): RolloutPlan {
  const tool = settingsOfTool(migration, asked.tool);
  const off = [...(migration.enabled ? [] : ['ENABLE_UNIFIED_MANAGER']), ...(tool.enabled ? [] : [tool.switch])];
  if (off.length > 0)
    throw new ValidationError(
      `The rollout of ${asked.tool} was not started: ${off.join(' and ')} ${off.length === 1 ? 'is' : 'are'} off, so unified would get no traffic. Set ${off.length === 1 ? 'it' : 'them'} to true where the facade runs, and here`,
      { code: 'switched_off' },
    );
  const steps = asked.steps ?? rollouts.steps;
  const plan: RolloutPlan = {
    tool: asked.tool,
    steps,
    bakeMs: asked.bakeMs ?? rollouts.bakeMs,
    evaluationMs: asked.evaluationMs ?? rollouts.evaluationMs,
    gates: (asked.gates ?? []).map((share) => steps.indexOf(share)),
    rules: {
      threshold: rollouts.errorThreshold,
      minSamples: rollouts.minSamples,
      alpha: rollouts.alpha,
      beta: BETA,
      // Without shadowing there are no pairs, and a test without data would hold the ramp for ever.
      tests: { wald: true, liveControl: true, pairs: migration.shadow.enabled },
      stickyUsers: true,
      onMismatch: 'hold',
      mismatchTolerance: 0,
      ...asked.rules,
      steps: steps.length,
    },
  };
  const missing = asked.gates?.find((share) => !steps.includes(share));
  if (missing !== undefined)
    throw new ValidationError(`There is no step of ${missing} % that could wait for approval: the steps are ${steps.join(', ')}`, {
      code: 'invalid_rollout',
    });
  checkPlan(plan);
  return plan;
}

/** How the errors of Temporal's client become ours. */
export type Asked = <T>(what: string, ask: () => Promise<T>) => Promise<T>;

/** Starts rollouts, sends their signals and reads their state. */
export function createRolloutClient(client: Client, config: Pick<Config, 'temporal' | 'migration' | 'rollouts'>, asked: Asked) {
  const { taskQueue } = config.temporal;
  const checkTool = (tool: string): void => void settingsOfTool(config.migration, tool);
  const handle = (tool: string) => client.workflow.getHandle(rolloutWorkflowId(tool));
  const signal = (definition: typeof pauseSignal) => async (tool: string, why: SignalReason) => {
    checkTool(tool);
    await asked(`rollout of ${tool}`, () => handle(tool).signal(definition, why));
  };
  return {
    /** @throws ValidationError `already_started` while another rollout of the tool runs, and what `planRollout` throws */
    async startRollout(rollout: NewRollout): Promise<RolloutPlan> {
      const plan = planRollout(config, rollout);
      const { by, reason = null, firstStep = 0 } = rollout;
      await asked(`rollout of ${plan.tool}`, async () => {
        try {
          await client.workflow.start('rollout', {
            workflowId: rolloutWorkflowId(plan.tool),
            workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
            taskQueue,
            staticSummary: `${plan.tool}: ${plan.steps.join(' → ')} %`,
            args: [
              {
                plan,
                startedBy: by,
                reason,
                firstStep,
                looksPerRun: LOOKS_PER_RUN,
              } satisfies RolloutInput,
            ],
          });
        } catch (error) {
          if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
          throw new ValidationError(
            `A rollout of ${plan.tool} is under way: look at it with \`npx cutover rollout status ${plan.tool}\`, and end it (promote, rollback) before another begins`,
            { code: 'already_started', cause: error },
          );
        }
      });
      return plan;
    },
    pauseRollout: signal(pauseSignal),
    resumeRollout: signal(resumeSignal),
    promoteRollout: signal(promoteSignal),
    /** Also where no rollout runs any more: the share is taken back then by a short workflow. */
    async rollbackRollout(tool: string, { by = 'a program', reason }: SignalReason): Promise<void> {
      checkTool(tool);
      await asked(`rollback of ${tool}`, async () => {
        try {
          await handle(tool).signal(rollbackSignal, { by, ...(reason === undefined ? {} : { reason }) });
          await handle(tool).result();
        } catch (error) {
          if (!(error instanceof WorkflowNotFoundError)) throw error;
          await client.workflow.execute('rollback', {
            workflowId: rollbackWorkflowId(tool),
            workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
            taskQueue,
            args: [{ tool, by, reason: reason ?? null } satisfies RollbackInput],
          });
        }
      });
    },
    /** Whether a ramp is under way, also one that waits. */
    async rolloutRuns(tool: string): Promise<boolean> {
      checkTool(tool);
      return await asked(`rollout of ${tool}`, async () => {
        const found = await handle(tool)
          .describe()
          .catch((error: unknown) => {
            if (error instanceof WorkflowNotFoundError) return null;
            throw error;
          });
        return found?.status.name === 'RUNNING';
      });
    },
    /** Null where none was started, or Temporal has forgotten it. Needs a worker. */
    async rolloutProgress(tool: string): Promise<RolloutProgress | null> {
      checkTool(tool);
      try {
        return await asked(`rollout of ${tool}`, () => handle(tool).query(rolloutStatusQuery));
      } catch (error) {
        if (error instanceof FileNotFoundError) return null;
        throw error;
      }
    },
    /** Until it is completed or rolled back. */
    async rolloutResult(tool: string): Promise<RolloutProgress> {
      checkTool(tool);
      return await asked(`rollout of ${tool}`, () => handle(tool).result() as Promise<RolloutProgress>);
    },
  };
}
