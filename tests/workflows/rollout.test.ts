import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { mapErrors } from '../../activities/failures.ts';
import { createRolloutActivities } from '../../activities/rollout.ts';
import type { RolloutPlan } from '../../src/domain/rollout.ts';
import type { RolloutLedger } from '../../src/ledger/rollout-ledger.ts';
import { createSupabaseRolloutLedger } from '../../src/ledger/supabase-rollout-ledger.ts';
import { workflowBundle } from '../../workers/bundle.ts';
import {
  pauseSignal,
  promoteSignal,
  type RolloutInput,
  type RolloutProgress,
  resumeSignal,
  rollbackSignal,
  rolloutStatusQuery,
  rolloutWorkflowId,
  SHARE,
  STATUS,
  TOOL,
} from '../../workflows/contract.ts';
import { quietRuntime } from '../support/running.ts';

/** The real workflow, server, database and activities; what users do is written to the ledger as facades write it. */

let client: Client;
let native: NativeConnection;
let worker: Worker;
let running: Promise<void>;
let ledger: RolloutLedger;
const taskQueue = `rollout-${randomUUID()}`;
beforeAll(async () => {
  quietRuntime();
  const { address } = inject('temporal');
  client = new Client({ connection: await Connection.connect({ address }) });
  native = await NativeConnection.connect({ address });
  ledger = createSupabaseRolloutLedger(inject('supabase'));
  worker = await Worker.create({
    connection: native,
    taskQueue,
    activities: mapErrors(createRolloutActivities({ rollouts: ledger })),
    workflowBundle: { codePath: await workflowBundle(inject('stateDir')) },
  });
  running = worker.run();
});
afterAll(async () => {
  worker.shutdown();
  await running;
  await native.close();
  await client.connection.close();
});

const RULES: RolloutPlan['rules'] = {
  threshold: 0.05,
  minSamples: 150,
  alpha: 0.01,
  beta: 0.05,
  steps: 3,
  tests: { wald: true, liveControl: false, pairs: false },
  stickyUsers: true,
  onMismatch: 'hold',
  mismatchTolerance: 0,
};

async function start(change: Partial<RolloutPlan> = {}, more: Partial<RolloutInput> = {}) {
  const tool = `tool-${randomUUID().slice(0, 8)}`;
  const plan: RolloutPlan = { tool, steps: [1, 10, 50], bakeMs: 300, evaluationMs: 150, gates: [], rules: RULES, ...change };
  const handle = await client.workflow.start('rollout', {
    workflowId: rolloutWorkflowId(tool),
    taskQueue,
    args: [{ plan, startedBy: 'ann', reason: null, firstStep: 0, looksPerRun: 1000, ...more } satisfies RolloutInput],
  });
  return {
    tool,
    handle,
    share: async () => (await ledger.rollout(tool))?.share ?? null,
    decisions: async () => (await ledger.events(tool, { after: null, limit: 100 })).map(({ decision }) => decision),
    status: () => handle.query(rolloutStatusQuery),
    /** As facades do: operations of the step that is in force now. */
    async traffic(operations: number, failures: number) {
      const epoch = (await ledger.rollout(tool))?.epoch ?? 0;
      const row = { tool, arm: 'unified', step: epoch, minute: '2026-01-01T00:00:00.000Z', latency: { 10: operations } } as const;
      await ledger.recordOutcomes(randomUUID(), [{ ...row, count: operations, failures: failures === 0 ? {} : { timeout: failures } }]);
      return epoch;
    },
    ended: () => handle.result() as Promise<RolloutProgress>,
  };
}
type Ramp = Awaited<ReturnType<typeof start>>;

/** Healthy traffic in every step until the ramp is where it should be. */
async function until(ramp: Ramp, reached: (progress: RolloutProgress) => boolean): Promise<void> {
  const fed = new Set<number>();
  await expect
    .poll(
      async () => {
        const { epoch } = (await ledger.rollout(ramp.tool)) ?? { epoch: 0 };
        if (epoch > 0 && !fed.has(epoch)) fed.add(await ramp.traffic(400, 1));
        return reached(await ramp.status());
      },
      { timeout: 25_000, interval: 50 },
    )
    .toBe(true);
}

describe('A rollout', () => {
  test('of a healthy candidate goes 1 → 10 → 50, guards its share, and is completed by a promote', async () => {
    const ramp = await start();
    await until(ramp, ({ state }) => state.status === 'guarding');
    expect(await ramp.share()).toBe(50);
    await ramp.handle.signal(promoteSignal, { reason: 'all is well', by: 'ann' });
    expect((await ramp.ended()).state).toMatchObject({ status: 'completed', share: 50 });
    expect(await ledger.rollout(ramp.tool)).toMatchObject({ status: 'completed', share: 50, stage: 'live' });
    expect((await ramp.decisions()).filter((decision) => decision !== 'held')).toEqual([
      'started',
      'went_on',
      'went_on',
      'guards',
      'completed',
    ]);
    const [, wentOn] = (await ledger.events(ramp.tool, { after: null, limit: 100 })).filter(({ decision }) => decision !== 'held');
    expect(wentOn).toMatchObject({ decidedBy: 'the judge', shareBefore: 1, shareAfter: 10 });
    const description = await ramp.handle.describe();
    const attributes = description.typedSearchAttributes;
    expect([attributes.get(TOOL), attributes.get(STATUS), attributes.get(SHARE)]).toEqual([ramp.tool, 'completed', 50]);
  });

  test('of a bad candidate is rolled back by itself, long before the samples are there', async () => {
    const ramp = await start();
    await expect.poll(ramp.share, { interval: 20 }).toBe(1);
    await ramp.traffic(20, 8);
    expect((await ramp.ended()).state).toMatchObject({ status: 'rolled_back', share: 0, step: 0 });
    expect(await ramp.share()).toBe(0);
    const last = (await ledger.events(ramp.tool, { after: null, limit: 100 })).at(-1);
    expect(last).toMatchObject({ decision: 'rolled_back', decidedBy: 'the judge', shareBefore: 1, shareAfter: 0 });
    expect(last?.reason).toContain('wald');
    expect(last?.evidence).toMatchObject({ candidate: { operations: 20, failures: 8 }, verdict: 'roll_back' });
  });

  test('that guards its last share is still rolled back', async () => {
    const ramp = await start({ steps: [5] });
    await until(ramp, ({ state }) => state.status === 'guarding');
    await ramp.traffic(400, 100);
    expect((await ramp.ended()).state).toMatchObject({ status: 'rolled_back', share: 0 });
  });

  test('without traffic holds and says so, and never goes on', async () => {
    const ramp = await start({ bakeMs: 1, evaluationMs: 50 });
    await expect.poll(async () => (await ramp.status()).looks, { timeout: 20_000, interval: 50 }).toBeGreaterThan(6);
    expect((await ramp.handle.describe()).typedSearchAttributes.get(SHARE)).toBe(1);
    const { state } = await ramp.status();
    expect(state).toMatchObject({ status: 'running', step: 0, share: 1 });
    expect(state.judgement?.opinions.find((opinion) => opinion.test === 'samples')?.why).toBe('no traffic on the candidate');
    await ramp.handle.signal(rollbackSignal);
    await ramp.ended();
    expect((await ramp.decisions()).filter((decision) => decision === 'held')).toHaveLength(1);
  });

  test('is paused, resumed and rolled back by signals with a reason or without one', async () => {
    const ramp = await start();
    await expect.poll(ramp.share, { interval: 20 }).toBe(1);
    await ramp.handle.signal(pauseSignal, { reason: 'deploy', by: 'bob' });
    await ramp.handle.signal('pause');
    await expect.poll(async () => (await ramp.status()).state.pauses, { interval: 20 }).toEqual(['deploy', 'no reason given']);
    expect(await ledger.rollout(ramp.tool)).toMatchObject({ status: 'paused', share: 1 });
    await ramp.traffic(400, 0);
    const { looks } = await ramp.status();
    await expect.poll(async () => (await ramp.status()).looks, { timeout: 20_000, interval: 20 }).toBeGreaterThan(looks + 5);
    expect(await ramp.share()).toBe(1);
    await ramp.handle.signal(resumeSignal);
    await expect.poll(ramp.share, { timeout: 20_000, interval: 20 }).toBe(10);
    await ramp.handle.signal('rollback', { reason: 'smoke' });
    const before = Date.now();
    await ramp.ended();
    expect(Date.now() - before).toBeLessThan(5000);
    expect(await ramp.share()).toBe(0);
    const events = await ledger.events(ramp.tool, { after: null, limit: 100 });
    expect(events.filter(({ decision }) => decision === 'paused')).toMatchObject([
      { decidedBy: 'bob', reason: 'deploy' },
      { decidedBy: 'a signal' },
    ]);
    expect(events.at(-1)).toMatchObject({ decision: 'rolled_back', reason: 'smoke' });
  });

  test('waits before a gate until it is promoted', async () => {
    const ramp = await start({ gates: [1] });
    await until(ramp, ({ state }) => state.status === 'awaiting_approval');
    expect(await ramp.share()).toBe(1);
    await ramp.handle.signal(promoteSignal, { by: 'ann' });
    await expect.poll(ramp.share, { interval: 20 }).toBe(10);
    await ramp.handle.signal(rollbackSignal);
    await ramp.ended();
  });

  test('continues as new without losing what it has seen, its pauses or a signal', async () => {
    const ramp = await start({ evaluationMs: 50 }, { looksPerRun: 3 });
    await expect.poll(ramp.share, { interval: 20 }).toBe(1);
    await ramp.handle.signal(pauseSignal, { reason: 'night' });
    await ramp.traffic(60, 0);
    const firstRun = (await ramp.handle.describe()).runId;
    await expect.poll(async () => (await ramp.handle.describe()).runId, { timeout: 20_000, interval: 50 }).not.toBe(firstRun);
    await expect.poll(async () => (await ramp.status()).looks, { timeout: 20_000, interval: 50 }).toBeGreaterThan(10);
    expect((await ramp.status()).state).toMatchObject({ pauses: ['night'], evidence: { candidate: { operations: 60 } } });
    await Promise.all(Array.from({ length: 20 }, (_, at) => ramp.handle.signal(pauseSignal, { reason: `reason ${at}` })));
    await expect.poll(async () => (await ramp.status()).state.pauses.length, { timeout: 20_000 }).toBe(21);
    await ramp.handle.signal(rollbackSignal);
    expect((await ramp.ended()).state.status).toBe('rolled_back');
  });

  test('that a person cancels in Temporal is taken back, whatever it is doing, and ends as rolled back', async () => {
    const [waiting, paused] = [await start(), await start()];
    for (const ramp of [waiting, paused]) await expect.poll(ramp.share, { interval: 20 }).toBe(1);
    await paused.handle.signal(pauseSignal, { reason: 'night' });
    await expect.poll(async () => (await ledger.rollout(paused.tool))?.status, { interval: 20 }).toBe('paused');
    for (const ramp of [waiting, paused]) {
      await ramp.handle.cancel();
      expect((await ramp.ended()).state).toMatchObject({ status: 'rolled_back', share: 0, pauses: [] });
      expect(await ledger.rollout(ramp.tool)).toMatchObject({ status: 'rolled_back', share: 0 });
      const last = (await ledger.events(ramp.tool, { after: null, limit: 100 })).at(-1);
      expect(last).toMatchObject({ decision: 'rolled_back', decidedBy: 'a cancellation', shareBefore: 1, shareAfter: 0 });
      expect((await ramp.handle.describe()).status.name).toBe('COMPLETED');
    }
  });

  test('that is cancelled before its first decision is written leaves no share behind', async () => {
    const ramp = await start();
    await ramp.handle.cancel();
    expect((await ramp.ended()).state.status).toBe('rolled_back');
    expect(await ramp.decisions()).toEqual(['started', 'rolled_back']);
    expect(await ramp.share()).toBe(0);
  });

  test('is one at a time for a tool', async () => {
    const ramp = await start();
    await expect(
      client.workflow.start('rollout', { workflowId: rolloutWorkflowId(ramp.tool), taskQueue, args: [{}] }),
    ).rejects.toMatchObject({ name: 'WorkflowExecutionAlreadyStartedError' });
    await ramp.handle.signal(rollbackSignal);
    await ramp.ended();
  });
});
