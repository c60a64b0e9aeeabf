import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { afterWaldLook, alphaOfOneTest, type JudgeRules, judge, NO_EVIDENCE, type StepEvidence } from '../../src/domain/judge.ts';
import { withLiveFailure } from '../../src/domain/sequential-tests.ts';

const RULES: JudgeRules = {
  threshold: 0.05,
  minSamples: 150,
  alpha: 0.01,
  beta: 0.05,
  steps: 3,
  tests: { wald: true, liveControl: true, pairs: true },
  stickyUsers: false,
  onMismatch: 'hold',
  mismatchTolerance: 0,
};
const BAKED = { bakedMs: 60_000, bakeMs: 60_000 };
/** A healthy step: enough of everything. */
const HEALTHY: StepEvidence = {
  ...NO_EVIDENCE,
  candidate: { operations: 400, failures: 2 },
  legacy: { operations: 40_000, failures: 300 },
  pairs: { both: 1, neither: 200, candidateOnly: 1, legacyOnly: 2 },
  mismatches: { compared: 200, differing: 0 },
};
const seen = (rules: JudgeRules, evidence: StepEvidence, baked = BAKED) =>
  judge(rules, { ...evidence, wald: afterWaldLook(rules, evidence) }, baked);
const verdict = (...args: Parameters<typeof seen>) => seen(...args).verdict;
const opinion = (name: string, ...args: Parameters<typeof seen>) => seen(...args).opinions.find(({ test: each }) => each === name);

describe('a step', () => {
  test('that is healthy, baked and well sampled goes on', () => expect(verdict(RULES, HEALTHY)).toBe('go_on'));
  test('without any data holds, and says that there is no traffic', () => {
    expect(verdict(RULES, NO_EVIDENCE)).toBe('hold');
    expect(opinion('samples', RULES, NO_EVIDENCE)).toMatchObject({ says: 'hold', why: 'no traffic on the candidate' });
  });
  test.each<[string, Partial<StepEvidence>, string]>([
    ['with too few operations', { candidate: { operations: 149, failures: 0 } }, 'samples'],
    ['whose rate is not yet told', { candidate: { operations: 160, failures: 5 } }, 'wald'],
    ['without a shadow comparison', { pairs: NO_EVIDENCE.pairs }, 'pairs'],
    ['without operations on legacy', { legacy: NO_EVIDENCE.legacy }, 'live_control'],
    ['with one comparison that differs', { mismatches: { compared: 200, differing: 1 } }, 'mismatches'],
    ['with many comparisons in which the candidate was slow', { mismatches: { compared: 200, differing: 0, slow: 11 } }, 'timing'],
  ])('%s holds', (_, change, test) => {
    expect(verdict(RULES, { ...HEALTHY, ...change })).toBe('hold');
    expect(opinion(test, RULES, { ...HEALTHY, ...change })).toMatchObject({ says: 'hold' });
  });
  test('that is rolled back early says what was seen', () => {
    const candidate = { operations: 93, failures: 8 };
    expect(opinion('wald', RULES, { ...HEALTHY, candidate })).toMatchObject({
      says: 'roll_back',
      why: "the candidate's failures are at 5 % or more (8 of 93 failed)",
    });
  });
  test('that differs names the fields, those first that differ most', () => {
    const mismatches = { compared: 200, differing: 12, fields: { mimeType: 3, name: 9, sizeBytes: 3, timing: 1 } };
    expect(opinion('mismatches', RULES, { ...HEALTHY, mismatches })?.why).toBe(
      '12 of 200 comparisons differ (name 9, mimeType 3, sizeBytes 3)',
    );
  });
  test('with a slow moment goes on', () =>
    expect(verdict(RULES, { ...HEALTHY, mismatches: { compared: 200, differing: 0, slow: 10 } })).toBe('go_on'));
  test('whose time is not over holds', () => expect(verdict(RULES, HEALTHY, { bakedMs: 59_999, bakeMs: 60_000 })).toBe('hold'));

  test.each<[string, Partial<StepEvidence>, string]>([
    ['above the threshold', { candidate: { operations: 400, failures: 21 } }, 'threshold'],
    ['that fails early, long before the samples are there,', { candidate: { operations: 12, failures: 5 } }, 'wald'],
    ['in which shadowing came to rest, because the candidate alone failed,', { breaker: true }, 'breaker'],
    ['that fails where legacy does not', { pairs: { both: 0, neither: 100, candidateOnly: 14, legacyOnly: 0 } }, 'pairs'],
  ])('%s is rolled back', (_, change, test) => {
    expect(verdict(RULES, { ...HEALTHY, ...change })).toBe('roll_back');
    expect(opinion(test, RULES, { ...HEALTHY, ...change })).toMatchObject({ says: 'roll_back' });
  });

  const failing = {
    ...HEALTHY,
    liveControl: Array.from({ length: 4 }).reduce<StepEvidence['liveControl']>(
      (state) => withLiveFailure(state, { arm: 'candidate', share: 0.01 }),
      NO_EVIDENCE.liveControl,
    ),
  };
  test('whose failures are the candidate’s more often than its share is rolled back', () =>
    expect(verdict(RULES, failing)).toBe('roll_back'));
  test('is not, where the same users stay on the same arm: that is only reported', () => {
    const sticky = { ...RULES, stickyUsers: true };
    expect(verdict(sticky, failing)).toBe('go_on');
    expect(opinion('live_control', sticky, failing)?.value).toBeGreaterThan(100);
  });

  test('whose comparisons differ is rolled back where that was asked for', () =>
    expect(verdict({ ...RULES, onMismatch: 'roll_back' }, { ...HEALTHY, mismatches: { compared: 200, differing: 1 } })).toBe('roll_back'));
  test('whose comparisons differ no more than the control differs from itself goes on', () => {
    const noisy = { ...HEALTHY, mismatches: { compared: 200, differing: 30 }, noise: { candidateOnly: 28, controlOnly: 31 } };
    expect(verdict(RULES, noisy)).toBe('go_on');
    expect(verdict(RULES, { ...noisy, noise: { candidateOnly: 28, controlOnly: 2 } })).toBe('hold');
  });
});

describe('a test', () => {
  test('that is off is neutral', () => {
    const off = { ...RULES, tests: { wald: false, liveControl: false, pairs: false } };
    expect(verdict(off, { ...HEALTHY, pairs: NO_EVIDENCE.pairs, legacy: NO_EVIDENCE.legacy })).toBe('go_on');
  });
  test.each([
    [{ wald: true, liveControl: true, pairs: true }, false, 3, 0.01 / 9],
    [{ wald: true, liveControl: true, pairs: true }, true, 3, 0.01 / 6],
    [{ wald: true, liveControl: false, pairs: false }, false, 2, 0.01 / 2],
    [{ wald: false, liveControl: false, pairs: false }, false, 3, 0.01],
  ])('has its part of α: %o, sticky %s, %i steps', (tests, stickyUsers, steps, alpha) =>
    expect(alphaOfOneTest({ ...RULES, tests, stickyUsers, steps })).toBeCloseTo(alpha, 10),
  );
  test("of Wald's comes to an end once, and rests", () => {
    const accepted = { ...HEALTHY, wald: 'accept' as const, candidate: { operations: 40, failures: 6 } };
    expect(afterWaldLook(RULES, accepted)).toBe('accept');
    expect(afterWaldLook(RULES, { ...accepted, wald: 'undecided' })).toBe('roll_back');
  });
});

test('one more failure of the candidate never makes the verdict better', () => {
  const rank = { go_on: 0, hold: 1, roll_back: 2 };
  const count = fc.nat({ max: 600 });
  fc.assert(
    fc.property(
      count,
      fc.nat({ max: 40 }),
      count,
      fc.nat({ max: 20 }),
      fc.nat({ max: 20 }),
      (good, failures, neither, candidateOnly, legacyOnly) => {
        const evidence = (more: number): StepEvidence => ({
          ...HEALTHY,
          candidate: { operations: good + failures + more, failures: failures + more },
          pairs: { both: 0, neither, candidateOnly: candidateOnly + more, legacyOnly },
          liveControl: more === 0 ? NO_EVIDENCE.liveControl : withLiveFailure(NO_EVIDENCE.liveControl, { arm: 'candidate', share: 0.1 }),
        });
        // The samples that it adds are no merit: enough are there.
        fc.pre(good + failures >= RULES.minSamples && neither > 0);
        expect(rank[verdict(RULES, evidence(1))]).toBeGreaterThanOrEqual(rank[verdict(RULES, evidence(0))]);
      },
    ),
    { numRuns: 2000 },
  );
});
