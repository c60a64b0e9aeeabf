import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  liveControlEvidence,
  liveControlOf,
  NO_LIVE_FAILURES,
  pairsEvidence,
  reachesAlarm,
  waldAcceptAt,
  waldEvidence,
  waldRollBackAt,
  waldVerdict,
  withLiveFailure,
} from '../../src/domain/sequential-tests.ts';
import { seeded } from '../support/seeded.ts';
import vectors from '../vectors/sequential-tests.json' with { type: 'json' };

type Failure = { arm: 'candidate' | 'legacy'; share: number };
const { liveControl, pairs, sprt } = vectors;
const evidenceOf = (failures: readonly Failure[]) => liveControlEvidence(failures.reduce(withLiveFailure, NO_LIVE_FAILURES));

describe('the live control', () => {
  test.each(liveControl.rows)('gives the fixed results', ({ failures, e }) => expect(evidenceOf(failures as Failure[])).toBeCloseTo(e, 5));

  const failure = fc.record({ arm: fc.constantFrom('candidate' as const, 'legacy' as const), share: fc.constantFrom(0.01, 0.1, 0.5) });
  test('comes to the same from counts as from one failure after the other', () => {
    fc.assert(
      fc.property(fc.nat({ max: 20 }), fc.nat({ max: 20 }), (candidateFailures, legacyFailures) => {
        const failures = [
          ...Array.from({ length: candidateFailures }, () => ({ arm: 'candidate', share: 0.1 }) as const),
          ...Array.from({ length: legacyFailures }, () => ({ arm: 'legacy', share: 0.1 }) as const),
        ];
        expect(Math.log(liveControlEvidence(liveControlOf({ candidateFailures, legacyFailures, share: 0.1 })))).toBeCloseTo(
          Math.log(evidenceOf(failures)),
          8,
        );
      }),
    );
  });
  test('does not depend on the order of failures', () => {
    fc.assert(
      fc.property(fc.array(failure, { maxLength: 30 }), (failures) => {
        expect(evidenceOf(failures)).toBeCloseTo(evidenceOf(failures.toReversed()), 8);
      }),
    );
  });
  test('never speaks better of a candidate for one more failure of its own, nor worse for one of legacy', () => {
    fc.assert(
      fc.property(fc.array(failure, { maxLength: 30 }), fc.constantFrom(0.01, 0.1, 0.5), (failures, share) => {
        const before = evidenceOf(failures);
        expect(evidenceOf([...failures, { arm: 'candidate', share }])).toBeGreaterThanOrEqual(before);
        expect(evidenceOf([...failures, { arm: 'legacy', share }])).toBeLessThanOrEqual(before);
      }),
    );
  });
  test('raises at most α false alarms although it is looked at after every failure', () => {
    const alarms = Array.from({ length: 4000 }, (_, run) => {
      const random = seeded(run);
      let state = NO_LIVE_FAILURES;
      for (let at = 0; at < 150; at += 1) {
        state = withLiveFailure(state, { arm: random() < 0.1 ? 'candidate' : 'legacy', share: 0.1 });
        if (reachesAlarm(liveControlEvidence(state), 0.01)) return true;
      }
      return false;
    }).filter(Boolean).length;
    expect(alarms / 4000).toBeLessThanOrEqual(0.01);
  });
});

describe('shadow pairs', () => {
  test.each(pairs.rows)('give the fixed results', ({ e, ...counts }) => expect(pairsEvidence(counts)).toBeCloseTo(e, 5));
  test.each(Object.entries(pairs.firstCandidateOnlyReaching100ByLegacyOnly))(
    'against %s failures of legacy alone reach 100 with %i of the candidate alone, and not before',
    (legacyOnly, candidateOnly) => {
      const evidence = (candidate: number) => pairsEvidence({ candidateOnly: candidate, legacyOnly: Number(legacyOnly) });
      expect(reachesAlarm(evidence(candidateOnly), 0.01)).toBe(true);
      expect(reachesAlarm(evidence(candidateOnly - 1), 0.01)).toBe(false);
    },
  );
  test('raise at most α false alarms although they are looked at after every pair', () => {
    const alarms = Array.from({ length: 4000 }, (_, run) => {
      const random = seeded(run + 1_000_000);
      const counts = { candidateOnly: 0, legacyOnly: 0 };
      for (let at = 0; at < 200; at += 1) {
        counts[random() < 0.5 ? 'candidateOnly' : 'legacyOnly'] += 1;
        if (reachesAlarm(pairsEvidence(counts), 0.01)) return true;
      }
      return false;
    }).filter(Boolean).length;
    expect(alarms / 4000).toBeLessThanOrEqual(0.01);
  });
});

describe("Wald's test", () => {
  const rules = { p0: sprt.p0, p1: sprt.p1, alpha: sprt.alpha, beta: sprt.beta };
  test('has the fixed increments and lines', () => {
    expect(waldEvidence(rules, { failures: 1, successes: 0 })).toBeCloseTo(sprt.failureIncrement, 5);
    expect(waldEvidence(rules, { failures: 0, successes: 1 })).toBeCloseTo(sprt.successIncrement, 5);
    expect(waldRollBackAt(rules)).toBeCloseTo(sprt.rollbackAt, 5);
    expect(waldAcceptAt(rules)).toBeCloseTo(sprt.acceptAt, 5);
  });
  test('accepts after as many operations without a failure, and not before', () => {
    expect(waldVerdict(rules, { failures: 0, successes: sprt.cleanAcceptAt })).toBe('accept');
    expect(waldVerdict(rules, { failures: 0, successes: sprt.cleanAcceptAt - 1 })).toBe('undecided');
  });
  test.each(Object.entries(sprt.rollbackWhileTotalAtMostByFailures))('rolls back with %s failures among at most %i', (failed, total) => {
    const failures = Number(failed);
    expect(waldVerdict(rules, { failures, successes: total - failures })).toBe('roll_back');
    expect(waldVerdict(rules, { failures, successes: total + 1 - failures })).not.toBe('roll_back');
  });
  test('is never moved towards acceptance by a failure', () => {
    const count = fc.nat({ max: 5000 });
    fc.assert(
      fc.property(count, count, (failures, successes) => {
        expect(waldEvidence(rules, { failures: failures + 1, successes })).toBeGreaterThan(waldEvidence(rules, { failures, successes }));
      }),
    );
  });
});
