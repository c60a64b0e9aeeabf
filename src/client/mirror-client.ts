import { createHash } from 'node:crypto';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { WorkflowExecutionAlreadyStartedError, WorkflowIdConflictPolicy } from '@temporalio/common';
import {
  cancelSignal,
  legacyQueue,
  type MirroredFile,
  type MirrorInput,
  mirrorStatusQuery,
  mirrorWorkflowId,
  pauseSignal,
  type RehomeInput,
  rehomeStatusQuery,
  rehomeWorkflowId,
  removeSignal,
  resumeSignal,
  type SignalReason,
  writeSignal,
} from '../../workflows/contract.ts';
import { ValidationError } from '../domain/errors.ts';
import type { MirrorState, RetryPlan } from '../domain/mirror.ts';
import type { RehomeState } from '../domain/rehome.ts';
import type { Asked } from './rollout-client.ts';
import { type SettingsConfig, uploadSettings } from './settings.ts';

export type FileToMirror = MirroredFile;

/** Which file: the id that the application was given, by which side, and for whom. */
export interface MirrorTarget {
  tool: string;
  userId: string | null;
  answered: 'legacy' | 'unified';
  id: string;
  /** Where unified keeps the tool's files. */
  provider: string;
}

export interface NewRehome {
  tool: string;
  /** ISO 8601; null: all. */
  since: string | null;
  verify?: RehomeInput['verify'];
  concurrency?: number;
}

/** Mirrors of a tool: how many are under way, and how many ended without agreement since a time. */
export interface MirrorCounts {
  running: number;
  failed: number;
}

/** An outage of a weekend, and the Monday on which somebody looks. */
const RETRY: RetryPlan = { firstMs: 2_000, longestMs: 10 * 60_000, giveUpAfterMs: 7 * 86_400_000 };
const REHOME = { concurrency: 10, pageSize: 100, filesPerRun: 500 };

/** A digest: ids of workflows are stored in plain text, and both parts come from the application. */
const keyOf = ({ answered, id, userId }: MirrorTarget): string =>
  createHash('sha256')
    .update(JSON.stringify([answered, id, userId]))
    .digest('hex')
    .slice(0, 32);

/** Starts and steers the workflows that make one side agree with the other: `mirror` and `rehome`. */
export function createMirrorClient(client: Client, config: SettingsConfig, asked: Asked) {
  const { taskQueue } = config.temporal;
  const idOf = (target: MirrorTarget) => mirrorWorkflowId(target.tool, keyOf(target));
  const rehoming = (tool: string) => client.workflow.getHandle(rehomeWorkflowId(tool));
  const signalled = (target: MirrorTarget, retry: RetryPlan, signal: { signal: string; signalArgs: [FileToMirror | SignalReason] }) =>
    asked('mirror', () =>
      client.workflow.signalWithStart('mirror', {
        ...{ workflowId: idOf(target), taskQueue, ...signal },
        args: [
          {
            ...target,
            legacyQueue: legacyQueue(taskQueue),
            retry,
            settings: uploadSettings(config, target.provider),
          } satisfies MirrorInput,
        ],
      }),
    );
  const steer = (signal: typeof pauseSignal) => async (tool: string, why: SignalReason) =>
    await asked(`re-homing of ${tool}`, () => rehoming(tool).signal(signal, why));

  return {
    /** The other side is to have this file, too. Joins a mirror of it that is under way. */
    async writeMirror(target: MirrorTarget, file: FileToMirror, retry = RETRY): Promise<void> {
      await signalled(target, retry, { signal: writeSignal.name, signalArgs: [file] });
    },
    /** The other side is to have it no more. @param start false: only where a mirror of it is under way */
    async removeMirror(target: MirrorTarget, { start, retry = RETRY }: { start: boolean; retry?: RetryPlan }): Promise<void> {
      if (start)
        return void (await signalled(target, retry, { signal: removeSignal.name, signalArgs: [{ reason: 'deleted by the application' }] }));
      await asked('mirror', () =>
        client.workflow
          .getHandle(idOf(target))
          .signal(removeSignal)
          .catch((error: unknown) => {
            if (!(error instanceof WorkflowNotFoundError)) throw error;
          }),
      );
    },
    /** Of a mirror that Temporal still knows. Needs a worker. */
    mirrorStatus: async (target: MirrorTarget): Promise<MirrorState> =>
      await asked('mirror', () => client.workflow.getHandle(idOf(target)).query(mirrorStatusQuery)),
    /** As Temporal's visibility tells it, a second late or so. @param since ISO 8601 */
    async mirrorCounts(tool: string, since: string | null): Promise<MirrorCounts> {
      const of = `WorkflowType = 'mirror' AND CutoverTool = '${tool}'`;
      const ended = `ExecutionStatus IN ('Failed', 'TimedOut', 'Terminated', 'Canceled')`;
      const count = async (query: string) => (await client.workflow.count(query)).count;
      return await asked('mirrors', async () => ({
        running: await count(`${of} AND ExecutionStatus = 'Running'`),
        failed: await count(`${of} AND ${ended}${since === null ? '' : ` AND StartTime >= '${new Date(since).toISOString()}'`}`),
      }));
    },

    /** @throws ValidationError `already_started` while the tool's files are being re-homed */
    async startRehome({ tool, since, verify = 'stored', concurrency = REHOME.concurrency }: NewRehome): Promise<void> {
      await asked(`re-homing of ${tool}`, async () => {
        try {
          await client.workflow.start('rehome', {
            workflowId: rehomeWorkflowId(tool),
            workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
            taskQueue,
            staticSummary: `${tool}: unified → legacy`,
            args: [
              {
                ...{ tool, since, verify, ...REHOME, concurrency, legacyQueue: legacyQueue(taskQueue) },
                // Which provider holds a file is the ledger's word: no queue of one of them.
                settings: uploadSettings(config, ''),
              } satisfies RehomeInput,
            ],
          });
        } catch (error) {
          if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
          throw new ValidationError(`The files of ${tool} are being re-homed already: follow it with --attach`, {
            code: 'already_started',
            cause: error,
          });
        }
      });
    },
    pauseRehome: steer(pauseSignal),
    resumeRehome: steer(resumeSignal),
    cancelRehome: steer(cancelSignal),
    /** Also of one that has ended. Needs a worker. */
    rehomeStatus: async (tool: string): Promise<RehomeState> =>
      await asked(`re-homing of ${tool}`, () => rehoming(tool).query(rehomeStatusQuery)),
    rehomeResult: async (tool: string): Promise<RehomeState> =>
      await asked(`re-homing of ${tool}`, () => rehoming(tool).result() as Promise<RehomeState>),
  };
}

export type MirrorClient = ReturnType<typeof createMirrorClient>;
