import { isDeepStrictEqual } from 'node:util';
import {
  type Client,
  ScheduleAlreadyRunning,
  type ScheduleDescription,
  ScheduleNotFoundError,
  type ScheduleOptions,
  ScheduleOverlapPolicy,
} from '@temporalio/client';
import type { Logger } from 'pino';
import { connectTemporal } from '../src/client/connect.ts';
import { sweepInput } from '../src/client/retention-client.ts';
import type { Config } from '../src/config/index.ts';
import { messageOf } from '../src/domain/errors.ts';
import { RETENTION_SWEEP, sweepId } from '../workflows/contract.ts';

/** A night that was missed is caught up within this, in ms: older ones are covered by the sweep that comes then anyway. */
const CATCH_UP_MS = 2 * 86_400_000;
/** Somebody else makes or deletes it at the same moment. */
const ROUNDS = 5;

type Wanted = ReturnType<typeof wantedSchedule>;

/** One sweep each interval, one at a time. */
function wantedSchedule({ temporal, retention }: Pick<Config, 'temporal' | 'retention'>) {
  return {
    scheduleId: sweepId(temporal.taskQueue),
    spec: { intervals: [{ every: retention.intervalMs }] },
    action: {
      type: 'startWorkflow',
      workflowType: RETENTION_SWEEP,
      workflowId: sweepId(temporal.taskQueue),
      taskQueue: temporal.taskQueue,
      args: [sweepInput({ retention })],
    },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: CATCH_UP_MS, pauseOnFailure: false },
  } satisfies ScheduleOptions;
}

/**
 * Makes the schedule of the retention sweep, or brings it back to what the configuration says. A pause, which is an operator's, stays.
 * @returns what was done
 */
export async function keepSweepSchedule(
  client: Client,
  config: Pick<Config, 'temporal' | 'retention'>,
): Promise<'created' | 'unchanged' | 'corrected'> {
  const wanted = wantedSchedule(config);
  const older = await olderSchedule(client, config);
  const done = await keep(client, wanted, older);
  // Last: whoever is killed before has two of them, and the next worker goes on here.
  if (older !== null) await deleteSchedule(client, RETENTION_SWEEP);
  return done;
}

async function keep(
  client: Client,
  wanted: Wanted,
  older: Pick<ScheduleDescription, 'state'> | null,
): Promise<'created' | 'unchanged' | 'corrected'> {
  for (let round = 1; ; round += 1) {
    try {
      await client.schedule.create(older === null ? wanted : { ...wanted, state: pauseOf(older) });
      return 'created';
    } catch (error) {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    }
    try {
      const handle = client.schedule.getHandle(wanted.scheduleId);
      // Not written where nothing differs: a pause that comes at the same moment would be lost.
      if (isAsWanted(await handle.describe(), wanted)) return 'unchanged';
      await handle.update((before) => ({ ...wanted, state: pauseOf(before) }));
      return 'corrected';
    } catch (error) {
      if (!(error instanceof ScheduleNotFoundError) || round >= ROUNDS) throw error;
    }
  }
}

const pauseOf = ({ state: { paused, note } }: Pick<ScheduleDescription, 'state'>) => ({ paused, ...(note === undefined ? {} : { note }) });

/**
 * What a worker of an older version has made, whose schedule had this name for every task queue: left alone, it would go on sweeping by
 * rules that nobody sets any more, and an operator's pause would be lost with it. Null where there is none, or another application's.
 */
async function olderSchedule(client: Client, { temporal }: Pick<Config, 'temporal'>): Promise<ScheduleDescription | null> {
  try {
    const found = await client.schedule.getHandle(RETENTION_SWEEP).describe();
    return found.action.taskQueue === temporal.taskQueue && found.action.workflowType === RETENTION_SWEEP ? found : null;
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return null;
    throw error;
  }
}

async function deleteSchedule(client: Client, id: string): Promise<void> {
  try {
    await client.schedule.getHandle(id).delete();
  } catch (error) {
    // Another worker was faster.
    if (!(error instanceof ScheduleNotFoundError)) throw error;
  }
}

function isAsWanted({ spec, action, policies, state }: ScheduleDescription, wanted: Wanted): boolean {
  const { intervals = [], calendars = [], skip = [], jitter, startAt, endAt, timezone } = spec;
  // What nobody has set comes back as nothing, 0 or an empty text.
  const others = [...calendars, ...skip, ...[jitter, startAt, endAt, timezone].filter(Boolean)];
  return (
    others.length === 0 &&
    isDeepStrictEqual(
      intervals.map(({ every, offset }) => [every, offset ?? 0]),
      wanted.spec.intervals.map(({ every }) => [every, 0]),
    ) &&
    state.remainingActions === undefined &&
    isDeepStrictEqual(
      [policies.overlap, policies.catchupWindow, policies.pauseOnFailure],
      [wanted.policies.overlap, wanted.policies.catchupWindow, wanted.policies.pauseOnFailure],
    ) &&
    isDeepStrictEqual(
      [action.workflowType, action.workflowId, action.taskQueue, action.args],
      [wanted.action.workflowType, wanted.action.workflowId, wanted.action.taskQueue, wanted.action.args],
    )
  );
}

/** For a worker that starts: without the right to manage schedules it works all the same, and a person is told. */
export async function keepSchedules(config: Config, log: Logger): Promise<void> {
  const client = await connectTemporal(config.temporal);
  const schedule = sweepId(config.temporal.taskQueue);
  try {
    const done = await keepSweepSchedule(client, config);
    if (done !== 'unchanged') log.info({ schedule }, `the schedule was ${done}`);
  } catch (error) {
    log.warn(
      { schedule, error: messageOf(error) },
      `the schedule ${schedule} cannot be kept from here, so nothing is swept by itself unless it is there already: give this worker's credentials the right to manage schedules`,
    );
  } finally {
    await client.connection.close();
  }
}
