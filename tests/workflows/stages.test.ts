import { randomUUID } from 'node:crypto';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { RolloutPlan } from '../../src/domain/rollout.ts';
import type { Stage } from '../../src/domain/routing.ts';
import type { StageRules } from '../../src/domain/stages.ts';
import { moveStage, readStage, type StageDependencies } from '../../src/manager/stages.ts';
import { type RolloutInput, rollbackWorkflowId, rolloutWorkflowId } from '../../workflows/contract.ts';
import { type Running, runOn } from '../support/running.ts';

/** Stages over the real server and ledger: what a rollback makes of them, where a rollout may start, and what a move leaves behind. */

let cutover: Running;
beforeAll(async () => {
  cutover = await runOn({ temporal: inject('temporal'), supabase: inject('supabase'), stateDir: inject('stateDir') });
});
afterAll(() => cutover?.stop());

const freshTool = () => `tool-${randomUUID().slice(0, 8)}`;
const put = (tool: string, stage: Stage, share = 100) =>
  cutover.stores.rollouts.decide({
    ...{ decisionId: randomUUID(), tool, decision: 'set', decidedBy: 'test', reason: 'test', workflowId: null, runId: null, evidence: {} },
    state: { stage, share, status: 'completed', nextEpoch: true },
  });
const now = (tool: string) => cutover.stores.rollouts.rollout(tool);

describe('A rollback', () => {
  const rollback = (tool: string) =>
    cutover.temporal.workflow.execute('rollback', {
      ...{ workflowId: rollbackWorkflowId(tool), taskQueue: cutover.config.temporal.taskQueue, args: [{ tool, by: 'ann', reason: null }] },
    });
  test.each<Stage>(['live', 'ramp_down', 'complete'])('of the stage %s lets legacy answer everything', async (stage) => {
    const tool = freshTool();
    await put(tool, stage);
    await rollback(tool);
    expect(await now(tool)).toMatchObject({ stage: 'live', share: 0, status: 'rolled_back' });
    expect((await cutover.stores.rollouts.events(tool, { after: null, limit: 10 })).at(-1)).toMatchObject({
      ...{ decision: 'rolled_back', stageBefore: stage, stageAfter: 'live', shareBefore: 100, shareAfter: 0 },
    });
  });
  test.each<Stage>(['off', 'dual_write', 'shadow'])('of the stage %s changes nothing, because legacy answers already', async (stage) => {
    const tool = freshTool();
    const before = await put(tool, stage, 0);
    await rollback(tool);
    expect(await now(tool)).toEqual(before);
  });
});

describe('A rollout', () => {
  const plan = (tool: string): RolloutPlan => ({
    ...{ tool, steps: [5], bakeMs: 100, evaluationMs: 100, gates: [] },
    rules: {
      ...{
        threshold: 0.05,
        minSamples: 10,
        alpha: 0.01,
        beta: 0.05,
        steps: 1,
        stickyUsers: true,
        onMismatch: 'hold',
        mismatchTolerance: 0,
      },
      tests: { wald: false, liveControl: false, pairs: false },
    },
  });
  const start = (tool: string) =>
    cutover.temporal.workflow.start('rollout', {
      ...{ workflowId: rolloutWorkflowId(tool), taskQueue: cutover.config.temporal.taskQueue },
      args: [{ plan: plan(tool), startedBy: 'a program', reason: null, firstStep: 0, looksPerRun: 100 } satisfies RolloutInput],
    });
  test.each<Stage>(['dual_write', 'ramp_down', 'complete'])(
    'in the stage %s ends at once, with what to do, and changes nothing',
    async (stage) => {
      const tool = freshTool();
      const before = await put(tool, stage);
      const failure = await (await start(tool)).result().then(
        () => null,
        (error: unknown) => error,
      );
      expect(failure).toBeInstanceOf(WorkflowFailedError);
      const { cause } = failure as WorkflowFailedError;
      expect(cause).toBeInstanceOf(ApplicationFailure);
      expect([(cause as ApplicationFailure).type, cause?.message]).toEqual([
        'stage_refused',
        expect.stringContaining(`npx cutover rollout stage ${tool}`),
      ]);
      expect(await now(tool)).toEqual(before);
    },
  );
  test.each<Stage>(['off', 'shadow'])('may start in the stage %s, which it turns into `live`', async (stage) => {
    const tool = freshTool();
    await put(tool, stage, 0);
    const handle = await start(tool);
    await expect.poll(async () => (await now(tool))?.stage, { timeout: 10_000 }).toBe('live');
    await handle.signal('rollback');
    await handle.result();
  });
});

describe('A tool that moves through its stages', () => {
  const rules: StageRules = {
    ...{ minSamples: 20, threshold: 0.05, minComparisons: 10, shadowThreshold: 0.05, mismatchTolerance: 0, quietForMs: 86_400_000 },
  };
  const deps = (running = false): StageDependencies => ({
    ...{ ...cutover.stores, now: Date.now, configured: { share: 0, switchesOff: [] } },
    workflows: { mirrorCounts: cutover.client.mirrorCounts, rolloutRuns: async () => running },
  });
  const move = (tool: string, to: Stage, more: { force?: boolean; running?: boolean } = {}) =>
    moveStage({ tool, to, rules, force: more.force ?? false, by: 'ann', reason: null }, deps(more.running));
  const outcomes = (tool: string, arm: 'legacy' | 'unified', step: number, count: number, failures: Record<string, number> = {}) =>
    cutover.stores.rollouts.recordOutcomes(randomUUID(), [
      {
        tool,
        arm,
        step,
        minute: new Date(Math.floor(Date.now() / 60_000) * 60_000).toISOString(),
        count,
        failures,
        latency: { 10: count },
      },
    ]);

  test('leaves evidence with every move, judges each stage by itself alone, and ends where unified is alone', async () => {
    const tool = freshTool();
    expect(await readStage(tool, rules, deps())).toMatchObject({ stage: 'off', next: 'dual_write', missing: [], since: null });
    await move(tool, 'dual_write');
    await outcomes(tool, 'legacy', 1, 30);
    await outcomes(tool, 'unified', 1, 30, { timeout: 3 });
    await expect(move(tool, 'shadow')).rejects.toThrow(/3 of 30 uploads failed at unified at first \(10 %/);
    await expect(move(tool, 'live')).rejects.toThrow(/one at a time/);
    await move(tool, 'off');
    await move(tool, 'dual_write');
    await outcomes(tool, 'legacy', 3, 30);
    await outcomes(tool, 'unified', 3, 20);
    await expect(move(tool, 'shadow')).rejects.toThrow(/10 of 30 uploads failed/);
    await outcomes(tool, 'unified', 3, 10);
    await expect(move(tool, 'shadow', { running: true })).rejects.toThrow(/a rollout of it is under way/);
    await move(tool, 'shadow');
    await expect(move(tool, 'live')).rejects.toThrow(/0 of 10 shadow comparisons/);
    expect(await move(tool, 'live', { force: true })).toMatchObject({ stage: 'live', share: 0, status: 'idle' });
    await expect(move(tool, 'ramp_down')).rejects.toThrow(/serves 0 %/);
    await put(tool, 'live', 100);
    expect(await move(tool, 'ramp_down')).toMatchObject({ stage: 'ramp_down', share: 100, status: 'completed' });
    await expect(move(tool, 'complete')).rejects.toThrow(/legacy served something .* ago: it must have been quiet for 1 d/);
    const later = { ...deps(), now: () => Date.now() + 2 * 86_400_000 };
    expect(await moveStage({ tool, to: 'complete', rules, force: false, by: 'ann', reason: 'the end' }, later)).toMatchObject({
      stage: 'complete',
    });

    const moves = (await cutover.stores.rollouts.events(tool, { after: null, limit: 100 })).filter(
      ({ decision }) => decision === 'stage_moved',
    );
    expect(moves.map(({ stageAfter }) => stageAfter)).toEqual([
      'dual_write',
      'off',
      'dual_write',
      'shadow',
      'live',
      'ramp_down',
      'complete',
    ]);
    expect(moves[3]?.evidence).toMatchObject({ candidate: { operations: 30, failures: 0 }, answered: 30, forced: false });
    expect(moves[4]?.evidence).toMatchObject({ forced: true, missing: ['0 of 10 shadow comparisons'] });
    expect(moves.at(-1)).toMatchObject({ reason: 'the end', decidedBy: 'ann' });
  });
});
