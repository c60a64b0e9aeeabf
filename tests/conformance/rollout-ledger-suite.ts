import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ComparisonRecord, RolloutDecision, RolloutLedger, RolloutRecord } from '../../src/ledger/rollout-ledger.ts';
import type { ShadowLedger } from '../../src/ledger/shadow-ledger.ts';
import { comparisonOf } from '../support/comparison.ts';

/** What every ledger of rollouts promises. */
export function describeRolloutLedger(
  name: string,
  open: () => Promise<{ ledger: RolloutLedger; shadow: ShadowLedger; close(): Promise<void> }>,
): void {
  describe(name, () => {
    let under: Awaited<ReturnType<typeof open>>;
    let ledger: RolloutLedger;
    beforeAll(async () => {
      under = await open();
      ledger = under.ledger;
    });
    afterAll(() => under?.close());

    const freshTool = () => `tool-${randomUUID().slice(0, 8)}`;
    const decision = (tool: string, more: Partial<RolloutDecision> = {}): RolloutDecision => ({
      decisionId: randomUUID(),
      tool,
      decision: 'started',
      decidedBy: 'ann',
      reason: 'the "first" step',
      state: { stage: 'live', share: 1, status: 'running', step: 0, steps: [1, 10, 50], settings: { alpha: 0.01 }, nextEpoch: true },
      workflowId: `rollout:${tool}`,
      runId: 'run-1',
      evidence: { looks: 3 },
      ...more,
    });
    it('has nothing in force for a tool about which nothing was decided', async () => {
      expect(await ledger.rollout(freshTool())).toBeNull();
    });

    it('changes what is in force and writes why, both at once', async () => {
      const tool = freshTool();
      const started = await ledger.decide(decision(tool));
      expect(started).toMatchObject({
        tool,
        stage: 'live',
        share: 1,
        status: 'running',
        steps: [1, 10, 50],
        epoch: 1,
        settings: { alpha: 0.01 },
      });
      expect(started.startedAt).not.toBeNull();
      const later = await ledger.decide(
        decision(tool, { decision: 'went_on', decidedBy: 'the judge', state: { share: 10, step: 1, nextEpoch: true } }),
      );
      expect(later).toMatchObject({ stage: 'live', share: 10, step: 1, steps: [1, 10, 50], epoch: 2, startedAt: started.startedAt });
      expect(await ledger.rollout(tool)).toEqual(later);
      expect((await ledger.rollouts()).map((rollout) => rollout.tool)).toContain(tool);
      const events = await ledger.events(tool, { after: null, limit: 10 });
      expect(events).toMatchObject([
        { decision: 'started', decidedBy: 'ann', reason: 'the "first" step', shareBefore: 0, shareAfter: 1, evidence: { looks: 3 } },
        { decision: 'went_on', decidedBy: 'the judge', shareBefore: 1, shareAfter: 10, step: 1 },
      ]);
      expect(await ledger.events(tool, { after: events[0]?.id ?? 0, limit: 10 })).toHaveLength(1);
    });

    it('takes a decision that is sent again, at once or late, for the same', async () => {
      const tool = freshTool();
      const first = decision(tool);
      await Promise.all(Array.from({ length: 5 }, () => ledger.decide(first)));
      await ledger.decide(decision(tool, { decision: 'rolled_back', state: { share: 0, status: 'rolled_back' } }));
      expect(await ledger.decide(first)).toMatchObject({ share: 0, status: 'rolled_back', epoch: 1 });
      expect(await ledger.events(tool, { after: null, limit: 10 })).toHaveLength(2);
    });

    it('refuses a share above 100 and an unknown stage, and changes nothing then', async () => {
      const tool = freshTool();
      await ledger.decide(decision(tool));
      await expect(ledger.decide(decision(tool, { state: { share: 101 } }))).rejects.toMatchObject({ retryable: false });
      await expect(ledger.decide(decision(tool, { state: { stage: 'nowhere' as 'live' } }))).rejects.toMatchObject({ retryable: false });
      expect(await ledger.rollout(tool)).toMatchObject({ share: 1, stage: 'live' });
      expect(await ledger.events(tool, { after: null, limit: 10 })).toHaveLength(1);
    });

    it('sums what was seen in one step, and keeps the steps apart', async () => {
      const tool = freshTool();
      const counts = (arm: 'legacy' | 'unified', step: number, count: number, failures: Record<string, number> = {}) =>
        ({ tool, arm, step, minute: '2026-01-01T12:30:00.000Z', count, failures, latency: { 10: count } }) as const;
      const batch = randomUUID();
      expect(await ledger.recordOutcomes(batch, [counts('unified', 1, 10, { timeout: 2, rejected: 1 }), counts('legacy', 1, 90)])).toBe(
        true,
      );
      expect(await ledger.recordOutcomes(batch, [counts('unified', 1, 10, { timeout: 2, rejected: 1 })])).toBe(false);
      await ledger.recordOutcomes(randomUUID(), [counts('unified', 1, 5, { timeout: 1 }), counts('unified', 2, 7)]);
      for (const more of [
        {},
        { mismatches: ['sha256'] },
        { mismatches: ['timing'] },
        { mismatches: ['sha256'], noiseMismatches: [] },
        { mismatches: [], noiseMismatches: ['name'] },
        { pair: 'candidateOnly', mismatches: ['outcome'] },
        { pair: 'both' },
        { step: 2 },
      ] as const)
        await under.shadow.recordComparison(comparisonOf(tool, more as Partial<ComparisonRecord>));
      expect(await ledger.evidence(tool, 1)).toEqual({
        arms: { unified: { operations: 15, failures: 4 }, legacy: { operations: 90, failures: 0 } },
        pairs: { neither: 5, candidateOnly: 1, both: 1 },
        mismatches: { compared: 5, differing: 2, slow: 1, candidateOnly: 1, controlOnly: 1 },
        fields: { sha256: 2 },
        breaker: false,
      });
      const minutes = await ledger.stepMinutes(tool, 1);
      expect(minutes.filter(({ what }) => what === 'unified' || what === 'legacy')).toMatchObject([
        { what: 'legacy', count: 90, failures: 0 },
        { what: 'unified', count: 15, failures: 4 },
      ]);
      expect(minutes.filter(({ what }) => what === 'neither').reduce((sum, { count }) => sum + count, 0)).toBe(5);
      expect(await ledger.evidence(tool, 2)).toMatchObject({ arms: { unified: { operations: 7, failures: 0 } }, pairs: { neither: 1 } });
      expect(await ledger.evidence(tool, 3)).toEqual({
        arms: {},
        pairs: {},
        mismatches: { compared: 0, differing: 0, slow: 0, candidateOnly: 0, controlOnly: 0 },
        fields: {},
        breaker: false,
      });
    });

    it('moves a stage from where it was looked at, and once, though ten move it at the same time', async () => {
      const tool = freshTool();
      const move = (to: RolloutRecord['stage'], more: Partial<RolloutDecision> = {}) =>
        decision(tool, { decision: 'stage_moved', state: { stage: to, share: 0, nextEpoch: true }, ...more });
      const moved = { code: 'stage_moved' };
      await expect(ledger.moveStage(move('dual_write'), { stage: 'off', epoch: 3 })).rejects.toMatchObject(moved);
      expect(await ledger.rollout(tool)).toBeNull();
      const first = move('dual_write');
      for (let again = 0; again < 2; again += 1)
        expect(await ledger.moveStage(first, null)).toMatchObject({ stage: 'dual_write', epoch: 1 });
      const from = { stage: 'dual_write', epoch: 1 } as const;
      const all = await Promise.allSettled(Array.from({ length: 10 }, () => ledger.moveStage(move('shadow'), from)));
      expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const one of all) if (one.status === 'rejected') expect(one.reason).toMatchObject(moved);
      expect(await ledger.rollout(tool)).toMatchObject({ stage: 'shadow', epoch: 2 });
      expect(await ledger.events(tool, { after: null, limit: 10 })).toMatchObject([
        { stageBefore: 'off', stageAfter: 'dual_write' },
        { stageBefore: 'dual_write', stageAfter: 'shadow' },
      ]);
    });

    it('tells a facade all it needs in one answer, and what operators set', async () => {
      const tool = freshTool();
      const key = `shadow.${tool}`;
      await ledger.decide(decision(tool));
      await ledger.setOperatorSetting(key, { enabled: true, sampleRate: 0.5 }, 'ann');
      await ledger.setOperatorSetting(key, { enabled: false }, 'bob');
      const state = await ledger.facadeState();
      expect(state.rollouts.find((rollout) => rollout.tool === tool)).toEqual({
        tool,
        stage: 'live',
        share: 1,
        epoch: 1,
        status: 'running',
      });
      expect(state.settings[key]).toEqual({ enabled: false });
    });
  });
}
