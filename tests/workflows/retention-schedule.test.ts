import { randomUUID } from 'node:crypto';
import { type Client, type ScheduleDescription, type ScheduleOptions, ScheduleOverlapPolicy } from '@temporalio/client';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { connectTemporal } from '../../src/client/connect.ts';
import { type Config, loadConfig } from '../../src/config/index.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { keepSchedules, keepSweepSchedule } from '../../workers/schedules.ts';
import { type SweepInput, sweepId } from '../../workflows/contract.ts';

/** In a namespace of its own, so that all schedules of it are known. */
const namespace = `schedule-${randomUUID().slice(0, 8)}`;
let client: Client;
const configWith = (env: Record<string, string> = {}): Config =>
  loadConfig({
    cwd: inject('stateDir'),
    env: { TEMPORAL_ADDRESS: inject('temporal').address, TEMPORAL_NAMESPACE: namespace, TEMPORAL_TASK_QUEUE: 'sweeps', ...env },
  });

beforeAll(async () => {
  client = await connectTemporal(configWith().temporal);
  await client.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: { seconds: 86_400 as never } });
  // The server's parts learn of a namespace one after the other.
  await vi.waitFor(() => keepSweepSchedule(client, configWith()), { timeout: 60_000, interval: 500 });
}, 90_000);
afterAll(() => client?.connection.close());
const handle = (taskQueue = 'sweeps') => client.schedule.getHandle(sweepId(taskQueue));
beforeEach(async () => {
  await handle()
    .delete()
    .catch(() => undefined);
});

async function schedules(): Promise<string[]> {
  const ids: string[] = [];
  for await (const { scheduleId } of client.schedule.list()) ids.push(scheduleId);
  return ids;
}
const inForce = async (): Promise<ScheduleDescription> => await handle().describe();

describe('The schedule of the sweep', { timeout: 60_000 }, () => {
  test('is made once, however many workers start at once, and left alone by those that start later', async () => {
    const done = await Promise.all(Array.from({ length: 5 }, () => keepSweepSchedule(client, configWith())));
    expect(done.filter((one) => one === 'created')).toHaveLength(1);
    expect(done.filter((one) => one === 'corrected')).toHaveLength(0);
    expect(await keepSweepSchedule(client, configWith())).toBe('unchanged');
    await expect.poll(schedules, { timeout: 20_000 }).toEqual(['retention-sweep:sweeps']);
    const { spec, action, policies, info } = await inForce();
    expect(spec.intervals).toMatchObject([{ every: 86_400_000 }]);
    expect(action).toMatchObject({ workflowType: 'retention-sweep', workflowId: 'retention-sweep:sweeps', taskQueue: 'sweeps' });
    expect(policies).toMatchObject({ overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: 2 * 86_400_000, pauseOnFailure: false });
    expect(info.nextActionTimes[0]?.getUTCHours()).toBe(0);
  });

  test('is brought back where somebody has edited it, whatever they changed, and follows the configuration', async () => {
    await keepSweepSchedule(client, configWith());
    await handle().update((before) => ({ ...before, spec: { calendars: [{ hour: 4 }] } }));
    expect(await keepSweepSchedule(client, configWith())).toBe('corrected');
    await handle().update((before) => ({ ...before, policies: { ...before.policies, overlap: ScheduleOverlapPolicy.ALLOW_ALL } }));
    expect(await keepSweepSchedule(client, configWith())).toBe('corrected');
    await handle().update((before) => ({ ...before, action: { ...before.action, args: [{ dryRun: true }] } }));
    expect(await keepSweepSchedule(client, configWith())).toBe('corrected');
    await handle().update((before) => ({ ...before, state: { ...before.state, remainingActions: 1 } }));
    expect(await keepSweepSchedule(client, configWith())).toBe('corrected');
    expect(await keepSweepSchedule(client, configWith())).toBe('unchanged');
    expect(await keepSweepSchedule(client, configWith({ RETENTION_DAYS: '0.5', RETENTION_INTERVAL_HOURS: '6' }))).toBe('corrected');
    const { spec, action, state } = await inForce();
    expect(spec).toMatchObject({ intervals: [{ every: 6 * 3_600_000 }] });
    expect(spec.calendars ?? []).toEqual([]);
    expect((action.args as [SweepInput])[0]).toMatchObject({ dryRun: false, rules: { retentionDays: 0.5, graceDays: 7 } });
    expect(state.remainingActions).toBeUndefined();
  });

  test('is made again where somebody has deleted it', async () => {
    await keepSweepSchedule(client, configWith());
    await handle().delete();
    expect(await keepSweepSchedule(client, configWith())).toBe('created');
  });

  test('stays paused where an operator has paused it, also when it is corrected', async () => {
    await keepSweepSchedule(client, configWith());
    await handle().pause('paused by ann: the audit');
    expect(await keepSweepSchedule(client, configWith())).toBe('unchanged');
    expect(await keepSweepSchedule(client, configWith({ RETENTION_DAYS: '90' }))).toBe('corrected');
    expect((await inForce()).state).toMatchObject({ paused: true, note: 'paused by ann: the audit' });
  });

  test('of another application, which has another task queue, stays as it is', async () => {
    const other = configWith({ TEMPORAL_TASK_QUEUE: 'others', RETENTION_DAYS: '90' });
    await keepSweepSchedule(client, configWith());
    expect(await keepSweepSchedule(client, other)).toBe('created');
    expect([await keepSweepSchedule(client, configWith()), await keepSweepSchedule(client, other)]).toEqual(['unchanged', 'unchanged']);
    await expect
      .poll(async () => (await schedules()).sort(), { timeout: 20_000 })
      .toEqual(['retention-sweep:others', 'retention-sweep:sweeps']);
    const { action } = await handle('others').describe();
    expect(action).toMatchObject({ taskQueue: 'others', args: [{ rules: { retentionDays: 90 } }] });
    await handle('others').delete();
  });

  test('of an older version, which had one name for all, gives way to the one of this task queue, and its pause with the word for it stays', async () => {
    await keepSweepSchedule(client, configWith());
    const { spec, action, policies } = await inForce();
    await handle().delete();
    const older = {
      scheduleId: 'retention-sweep',
      spec,
      action: { ...action, workflowId: 'retention-sweep' },
      policies,
    } as ScheduleOptions;
    await client.schedule.create({ ...older, state: { paused: true, note: 'paused by ann: the audit' } });
    expect(await keepSweepSchedule(client, configWith({ TEMPORAL_TASK_QUEUE: 'others' }))).toBe('created');
    expect((await handle('others').describe()).state.paused).toBe(false);
    await handle('others').delete();
    // However many workers find it at once.
    const done = await Promise.all(Array.from({ length: 3 }, () => keepSweepSchedule(client, configWith())));
    expect(done.filter((one) => one === 'created')).toHaveLength(1);
    expect((await inForce()).state).toMatchObject({ paused: true, note: 'paused by ann: the audit' });
    await expect.poll(schedules, { timeout: 20_000 }).toEqual(['retention-sweep:sweeps']);
    await expect(client.schedule.getHandle('retention-sweep').describe()).rejects.toThrow();
    expect(await keepSweepSchedule(client, configWith())).toBe('unchanged');
  });

  test('that cannot be kept does not keep a worker from working: it warns, and says what to do', async () => {
    const warnings: string[] = [];
    const log = createLogger('test', 'silent');
    vi.spyOn(log, 'warn').mockImplementation((_: unknown, message?: string) => void warnings.push(message ?? ''));
    await keepSchedules(configWith({ TEMPORAL_NAMESPACE: 'not-there' }), log);
    expect(warnings.join()).toMatch(/retention-sweep:sweeps cannot be kept from here.*right to manage schedules/);
  });
});
