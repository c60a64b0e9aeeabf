import { expect, test } from 'vitest';
import type { JudgeRules } from '../../src/domain/judge.ts';
import type { RolloutRecord } from '../../src/ledger/rollout-ledger.ts';
import { rolloutSnapshots } from '../../src/manager/rollout-snapshot.ts';

const rules: JudgeRules = {
  ...{ threshold: 0.05, minSamples: 100, alpha: 0.01, beta: 0.05, steps: 1, stickyUsers: true, onMismatch: 'hold', mismatchTolerance: 0 },
  tests: { wald: true, liveControl: false, pairs: true },
};
const record = (tool: string, more: Partial<RolloutRecord>): RolloutRecord => ({
  ...{ tool, stage: 'live', share: 10, status: 'running', step: 0, steps: [10], epoch: 3, settings: { rules } as never },
  ...{ workflowId: null, runId: null, reason: null, startedAt: null, updatedAt: '2026-01-01T00:00:00Z' },
  ...more,
});
const counted = {
  arms: { unified: { operations: 200, failures: 4 }, legacy: { operations: 100, failures: 1 } },
  pairs: {},
  mismatches: { compared: 0, differing: 0, candidateOnly: 0, controlOnly: 0 },
};

test('Each tool has its share, and a ramp the figures of its step, but for those without data and for its time', async () => {
  const asked: unknown[] = [];
  const shown = await rolloutSnapshots({
    rollouts: async () => [
      record('ramping', {}),
      record('over', { status: 'completed', share: 50 }),
      record('by hand', { status: 'paused', settings: {} }),
    ],
    evidence: async (...of) => {
      asked.push(of);
      return counted;
    },
  });
  expect(shown.map(({ tool, share }) => [tool, share])).toEqual([
    ['ramping', 10],
    ['over', 50],
    ['by hand', 10],
  ]);
  const [ramping, ...others] = shown;
  // No pairs and no comparisons yet.
  expect(ramping?.evidence.map(({ test }) => test)).toEqual(['threshold', 'wald', 'samples']);
  expect(ramping?.evidence[0]).toEqual({ test: 'threshold', value: 0.02, limit: 0.05 });
  expect(others.map(({ evidence }) => evidence)).toEqual([[], []]);
  expect(asked).toEqual([['ramping', 3]]);
});
