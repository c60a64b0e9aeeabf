import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { RolloutLedger } from '../../src/ledger/rollout-ledger.ts';
import type { ShadowLedger, ShadowSample } from '../../src/ledger/shadow-ledger.ts';
import { comparisonOf } from '../support/comparison.ts';

export interface ShadowLedgerUnderTest {
  shadow: ShadowLedger;
  ledger: Ledger;
  rollouts: RolloutLedger;
  close(): Promise<void>;
}

/** What every ledger of shadow comparisons promises. */
export function describeShadowLedger(name: string, open: () => Promise<ShadowLedgerUnderTest>): void {
  describe(name, () => {
    let under: ShadowLedgerUnderTest;
    let shadow: ShadowLedger;
    beforeAll(async () => {
      under = await open();
      shadow = under.shadow;
    });
    afterAll(() => under?.close());

    const freshTool = () => `tool-${randomUUID().slice(0, 8)}`;
    const sample = (tool: string, more: Partial<ShadowSample> = {}): ShadowSample => ({
      ...{ tool, step: 1, maxPerMinute: 1000, durationSeconds: 0, beganAt: null },
      ...more,
    });
    const BREAKER = { threshold: 0.05, minSamples: 10, cooldownSeconds: 600 };
    const failed: Parameters<typeof comparisonOf>[1] = { pair: 'candidateOnly', mismatches: ['outcome'] };
    const record = (tool: string, more: Parameters<typeof comparisonOf>[1] = {}, breaker = BREAKER) =>
      shadow.recordComparison(comparisonOf(tool, more), breaker);

    it('records one comparison for each operation, and reports fields, noise, examples and times', async () => {
      const tool = freshTool();
      const first = comparisonOf(tool, { mismatches: ['name', 'sha256'], noiseMismatches: ['name'], candidate: { sha256: 'other' } });
      expect(await shadow.recordComparison(first)).toBe(true);
      expect(await shadow.recordComparison(first)).toBe(false);
      await shadow.recordComparison(comparisonOf(tool, { mismatches: ['sha256'], candidateMs: 40 }));
      await shadow.recordComparison(comparisonOf(tool));
      const report = await shadow.shadowReport(tool, null, 5);
      expect(report).toMatchObject({ comparisons: 3, matched: 1, withNoise: 1, pairs: { neither: 3 } });
      expect(report.fields).toEqual([
        { field: 'sha256', differing: 2, noise: 0 },
        { field: 'name', differing: 1, noise: 1 },
      ]);
      expect(report.examples).toHaveLength(2);
      expect(report.timingMs).toMatchObject({ control: [10, 10, 10] });
      expect(report.timingMs.candidate?.[0]).toBe(20);
      expect(await shadow.shadowReport(freshTool(), null, 5)).toMatchObject({ comparisons: 0, fields: [], timingMs: { control: null } });
    });

    it('gives out no more samples a minute than are allowed, however many processes ask at once', async () => {
      const tool = freshTool();
      const taken = async () => {
        const answers = await Promise.all(Array.from({ length: 40 }, () => shadow.takeSample(sample(tool, { maxPerMinute: 7 }))));
        return answers.filter((answer) => answer === 'taken').length;
      };
      const first = await taken();
      // The minute may have turned in between.
      expect([7, 14]).toContain(first);
      expect(await shadow.takeSample(sample(tool, { maxPerMinute: 1 }))).toBe('rate');
    });

    it('ends after its duration, which counts from when an operator started it', async () => {
      const tool = freshTool();
      const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();
      expect(await shadow.takeSample(sample(tool, { durationSeconds: 60, beganAt: ago(300) }))).toBe('over');
      expect(await shadow.takeSample(sample(tool, { durationSeconds: 600, beganAt: ago(300) }))).toBe('taken');
      expect(await shadow.takeSample(sample(tool, { durationSeconds: 0.001 }))).toBe('over');
    });

    it('rests when the candidate alone fails too often, in that step, and says so as evidence', async () => {
      const tool = freshTool();
      await shadow.takeSample(sample(tool));
      for (let at = 0; at < 9; at += 1) await record(tool, at === 0 ? failed : {});
      expect(await shadow.takeSample(sample(tool))).toBe('taken');
      // The tenth reaches the minimum: one of ten is more than 5 %.
      await record(tool);
      expect(await shadow.takeSample(sample(tool))).toBe('open');
      expect((await under.rollouts.evidence(tool, 1)).breaker).toBe(true);
      // A new step begins anew.
      expect(await shadow.takeSample(sample(tool, { step: 2 }))).toBe('taken');
      expect((await under.rollouts.evidence(tool, 2)).breaker).toBe(false);
    });

    it('does not rest for what legacy fails at, nor for what both fail at', async () => {
      const tool = freshTool();
      await shadow.takeSample(sample(tool));
      for (let at = 0; at < 20; at += 1) await record(tool, { pair: at % 2 === 0 ? 'legacyOnly' : 'both' });
      expect(await shadow.takeSample(sample(tool))).toBe('taken');
    });

    it('goes on after the cool-down, and counts anew', async () => {
      const tool = freshTool();
      await shadow.takeSample(sample(tool));
      for (let at = 0; at < 10; at += 1) await record(tool, failed, { ...BREAKER, cooldownSeconds: 0.5 });
      expect(await shadow.takeSample(sample(tool))).toBe('open');
      await expect.poll(() => shadow.takeSample(sample(tool)), { timeout: 5000 }).toBe('taken');
      for (let at = 0; at < 9; at += 1) await record(tool, failed);
      expect(await shadow.takeSample(sample(tool))).toBe('taken');
    });

    it('keeps to the minimum of a ramp that is under way, because what opens then takes the ramp back', async () => {
      const tool = freshTool();
      await under.rollouts.decide({
        ...{
          decisionId: randomUUID(),
          tool,
          decision: 'started',
          decidedBy: 'ann',
          reason: 'x',
          workflowId: null,
          runId: null,
          evidence: {},
        },
        state: { stage: 'live', share: 1, status: 'running', step: 0, settings: { rules: { minSamples: 15 } }, nextEpoch: true },
      });
      await shadow.takeSample(sample(tool));
      for (let at = 0; at < 14; at += 1) await record(tool, failed);
      expect(await shadow.takeSample(sample(tool))).toBe('taken');
      await record(tool, failed);
      expect(await shadow.takeSample(sample(tool))).toBe('open');
    });

    it('knows what an upload into quarantine has left, finished or not, until it is purged', async () => {
      const key = `shadow-${randomUUID()}`;
      const claim = await under.ledger.claim({
        ...{ provider: 'supabase', account: 'here', purpose: 'storage', namespace: 'shadow', originalName: 'x', owner: `upload:${key}` },
        content: { sha256: randomUUID().replaceAll('-', '').repeat(2), sizeBytes: 3, mimeType: 'text/plain' },
        ...{ idempotencyKey: `${key} run-1`, leaseSeconds: 60 },
      });
      const [copy] = await shadow.shadowCopies(key);
      expect(copy).toMatchObject({ id: claim.copyId, namespace: 'shadow', sizeBytes: 3, status: 'uploading' });
      expect(await shadow.shadowCopies(key.slice(0, -1))).toEqual([]);
      expect(await shadow.deleteShadowCopy(claim.copyId)).toBe(false);
      await under.ledger.complete(claim.copyId, `upload:${key}`, 'here/shadow/x');
      expect(await shadow.deleteShadowCopy(claim.copyId)).toBe(true);
      expect(await shadow.deleteShadowCopy(claim.copyId)).toBe(true);
      await under.ledger.beginPurge(claim.copyId, 'me', 60);
      await under.ledger.completePurge(claim.copyId, 'me');
      expect(await shadow.shadowCopies(key)).toEqual([]);
    });
  });
}
