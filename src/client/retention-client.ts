import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, ScheduleNotFoundError, ScheduleOverlapPolicy, WorkflowNotFoundError } from '@temporalio/client';
import { WorkflowIdConflictPolicy } from '@temporalio/common';
import {
  drySweepId,
  RETENTION_SWEEP,
  type SignalReason,
  type SweepInput,
  stopSignal,
  sweepId,
  sweepStatusQuery,
} from '../../workflows/contract.ts';
import type { Config } from '../config/index.ts';
import { FileNotFoundError, ProviderUnavailableError } from '../domain/errors.ts';
import type { SweepProgress } from '../domain/retention.ts';
import type { Asked } from './rollout-client.ts';

/** A sweep is ended by the night after it; a page is a second or so, or as long as the providers take. */
const PAGES = { filesPerPage: 2000, purgesPerPage: 200, pagesPerRun: 500 };

/** What a sweep is told, from the configuration. */
export function sweepInput(
  { retention }: Pick<Config, 'retention'>,
  { dryRun = false, includeReview = false }: Pick<NewSweep, 'dryRun' | 'includeReview'> = {},
): SweepInput {
  const { retentionDays, orphanDays, graceDays, concurrency } = retention;
  const { start, target, minAgeDays } = retention.quota;
  return {
    dryRun,
    rules: { retentionDays, orphanDays, graceDays, quotaMinAgeDays: minAgeDays, includeReview },
    quota: { start, target },
    ...PAGES,
    concurrency,
  };
}

export interface NewSweep {
  dryRun?: boolean;
  /** Also tries purges again that a person should look at. */
  includeReview?: boolean;
}

export interface StartedSweep {
  workflowId: string;
  /** Whether it was under way already. */
  joined: boolean;
}

export interface SweepSchedule {
  paused: boolean;
  /** Why it is paused, where somebody said so. */
  note: string | null;
  /** ISO 8601; null where it is not known. */
  next: string | null;
  /** Workflow ids of sweeps that run now. */
  running: string[];
  /** Nights that could not be caught up, because the server was away for too long. */
  missed: number;
}

/** How long the server may take to start what a schedule was told to. */
const STARTS_WITHIN_MS = 15_000;

/** Starts sweeps, and reads and steers their schedule. */
export function createRetentionClient(client: Client, config: Pick<Config, 'temporal' | 'retention'>, asked: Asked) {
  const { taskQueue } = config.temporal;
  const id = sweepId(taskQueue);
  const schedule = () => client.schedule.getHandle(id);
  const ask = <T>(run: () => Promise<T>): Promise<T> => asked('retention sweep', run);

  async function start(workflowId: string, sweep: NewSweep): Promise<StartedSweep> {
    await client.workflow.start(RETENTION_SWEEP, {
      workflowId,
      workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
      taskQueue,
      args: [sweepInput(config, sweep)],
    });
    return { workflowId, joined: false };
  }
  /** By the schedule, which never lets two run at once. Null where there is none. */
  async function trigger(): Promise<StartedSweep | null> {
    try {
      let { info } = await schedule().describe();
      await schedule().trigger(ScheduleOverlapPolicy.SKIP);
      for (const until = Date.now() + STARTS_WITHIN_MS; Date.now() < until; await sleep(100)) {
        const now = (await schedule().describe()).info;
        const newest = now.recentActions.at(-1)?.action.workflow.workflowId;
        if (now.numActionsTaken > info.numActionsTaken && newest !== undefined) return { workflowId: newest, joined: false };
        if (now.numActionsSkippedOverlap === info.numActionsSkippedOverlap) continue;
        const underWay = now.runningActions.at(-1)?.workflow.workflowId;
        if (underWay !== undefined) return { workflowId: underWay, joined: true };
        // The server had not noticed yet that the one before had ended.
        info = now;
        await schedule().trigger(ScheduleOverlapPolicy.SKIP);
      }
    } catch (error) {
      if (error instanceof ScheduleNotFoundError) return null;
      throw error;
    }
    throw new ProviderUnavailableError(
      `Temporal has not started the sweep within ${STARTS_WITHIN_MS / 1000} s: look at it with \`npx cutover retention status\``,
      {
        code: 'not_started',
        provider: 'temporal',
      },
    );
  }
  async function running(): Promise<string[]> {
    try {
      const ids = (await schedule().describe()).info.runningActions.map(({ workflow }) => workflow.workflowId);
      if (ids.length > 0) return ids;
    } catch (error) {
      if (!(error instanceof ScheduleNotFoundError)) throw error;
    }
    try {
      const { status } = await client.workflow.getHandle(id).describe();
      return status.name === 'RUNNING' ? [id] : [];
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return [];
      throw error;
    }
  }
  const steer = (change: (handle: ReturnType<typeof schedule>) => Promise<void>) =>
    ask(async () => {
      try {
        await change(schedule());
      } catch (error) {
        if (!(error instanceof ScheduleNotFoundError)) throw error;
        throw new FileNotFoundError(
          `There is no schedule ${id} in the namespace ${config.temporal.namespace}: a worker makes it when it starts (npx cutover worker)`,
          { code: 'schedule_not_found', cause: error },
        );
      }
    });

  return {
    /** A sweep now; the one that is under way where there is one. A dry run changes nothing and can run beside it. */
    async startSweep(sweep: NewSweep = {}): Promise<StartedSweep> {
      return await ask(async () => {
        if (sweep.dryRun === true) return await start(drySweepId(taskQueue), sweep);
        const [underWay] = await running();
        if (underWay !== undefined) return { workflowId: underWay, joined: true };
        const started = sweep.includeReview === true ? null : await trigger();
        return started ?? (await start(id, sweep));
      });
    },
    /** Also of one that has ended. Needs a worker. */
    async sweepProgress(workflowId: string): Promise<SweepProgress> {
      return await ask(() => client.workflow.getHandle(workflowId).query(sweepStatusQuery));
    },
    /** Waits for the end. @throws FileManagementError when it failed or was cancelled or terminated in Temporal */
    async sweepResult(workflowId: string): Promise<SweepProgress> {
      return await ask(() => client.workflow.getHandle(workflowId).result() as Promise<SweepProgress>);
    },
    /** Gracefully: what it has begun is done and recorded. @returns the sweeps that were asked to stop */
    async stopSweeps(why: SignalReason): Promise<string[]> {
      return await ask(async () => {
        const ids = await running();
        for (const one of ids) await client.workflow.getHandle(one).signal(stopSignal, why);
        return ids;
      });
    },
    /** Null where no worker has made it yet. */
    async sweepSchedule(): Promise<SweepSchedule | null> {
      return await ask(async () => {
        try {
          const { state, info } = await schedule().describe();
          return {
            paused: state.paused,
            note: state.note === undefined || state.note === '' ? null : state.note,
            next: info.nextActionTimes[0]?.toISOString() ?? null,
            running: info.runningActions.map(({ workflow }) => workflow.workflowId),
            missed: info.numActionsMissedCatchupWindow,
          };
        } catch (error) {
          if (error instanceof ScheduleNotFoundError) return null;
          throw error;
        }
      });
    },
    /** No sweep starts by itself until `resumeSweeps`; one that runs goes on. @throws FileNotFoundError `schedule_not_found` */
    pauseSweeps: (note: string): Promise<void> => steer((handle) => handle.pause(note)),
    /** @throws FileNotFoundError `schedule_not_found` */
    resumeSweeps: (note: string): Promise<void> => steer((handle) => handle.unpause(note)),
  };
}
