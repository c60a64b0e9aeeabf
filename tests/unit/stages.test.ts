import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { STAGES, type Stage } from '../../src/domain/routing.ts';
import {
  decideMove,
  isLegacyAlone,
  missingEvidence,
  refusalOfRollout,
  type SeenInStage,
  type StageRules,
  shareIn,
  stageAfter,
  stageBefore,
} from '../../src/domain/stages.ts';

const DAY = 86_400_000;
const RULES: StageRules = {
  ...{ minSamples: 150, threshold: 0.05, minComparisons: 50, shadowThreshold: 0.05, mismatchTolerance: 0, quietForMs: DAY },
};
/** All that every stage asks for. */
const READY: SeenInStage = {
  ...{ stage: 'off', share: 100, switchesOff: [], rolloutRuns: false, answered: 200 },
  candidate: { operations: 200, failures: 2 },
  mirrors: { running: 0, failed: 0 },
  comparisons: { total: 60, candidateOnly: 1, compared: 58, differing: 0 },
  ...{ legacyQuietMs: null, onlyAtUnified: 0 },
};
const reasons = (seen: Partial<SeenInStage>, next: Stage, rules: Partial<StageRules> = {}): string[] => {
  const move = decideMove({ ...READY, ...seen }, next, { ...RULES, ...rules });
  return move.allowed ? [] : move.reasons;
};

describe('A tool moves to the next stage', () => {
  test.each(STAGES.slice(0, -1).map((stage) => [stage, stageAfter(stage) as Stage]))(
    'from %s to %s when all is there, and back whatever is missing',
    (stage, next) => {
      expect(decideMove({ ...READY, stage }, next, RULES)).toEqual({ allowed: true, forwards: true });
      const nothing = { ...READY, ...{ answered: 0, share: 0, onlyAtUnified: 9, legacyQuietMs: 0 }, mirrors: { running: 3, failed: 3 } };
      expect(decideMove({ ...nothing, stage: next }, stage, RULES)).toEqual({ allowed: true, forwards: false });
    },
  );

  test.each<[string, Partial<SeenInStage>, Stage, RegExp]>([
    ['with a switch off', { stage: 'off', switchesOff: ['ENABLE_KIMI_MIGRATION'] }, 'dual_write', /ENABLE_KIMI_MIGRATION is off/],
    ['with both switches off', { stage: 'off', switchesOff: ['A', 'B'] }, 'dual_write', /A and B are off/],
    [
      'with too few mirrored uploads',
      { stage: 'dual_write', candidate: { operations: 149, failures: 0 }, answered: 149 },
      'shadow',
      /149 of 150 mirrored/,
    ],
    [
      'with uploads that failed',
      { stage: 'dual_write', candidate: { operations: 200, failures: 11 } },
      'shadow',
      /11 of 200 .* \(5.5 %, at most 5 %\)/,
    ],
    ['with uploads of which no mirror tells', { stage: 'dual_write', answered: 220 }, 'shadow', /22 of 220 uploads failed/],
    ['with a mirror under way', { stage: 'dual_write', mirrors: { running: 1, failed: 0 } }, 'shadow', /not on both sides yet/],
    ['with a mirror given up', { stage: 'dual_write', mirrors: { running: 0, failed: 2 } }, 'shadow', /2 mirrors were given up/],
    [
      'without comparisons',
      { stage: 'shadow', comparisons: { total: 0, candidateOnly: 0, compared: 0, differing: 0 } },
      'live',
      /0 of 50 shadow/,
    ],
    [
      'with failures in comparisons',
      { stage: 'shadow', comparisons: { total: 60, candidateOnly: 4, compared: 56, differing: 0 } },
      'live',
      /in 4 of 60/,
    ],
    [
      'with one difference',
      { stage: 'shadow', comparisons: { total: 60, candidateOnly: 0, compared: 60, differing: 1 } },
      'live',
      /1 of 60 comparisons differ/,
    ],
    ['at half of the users', { stage: 'live', share: 50 }, 'ramp_down', /unified serves 50 %/],
    [
      'when legacy has served within the day',
      { stage: 'ramp_down', legacyQuietMs: 3_600_000 },
      'complete',
      /1 h ago: it must have been quiet for 1 d/,
    ],
    ['with files on one side', { stage: 'ramp_down', onlyAtUnified: 3 }, 'complete', /3 files of this stage are only at unified/],
  ])('not %s', (_, seen, next, reason) => {
    expect(reasons(seen, next)).toEqual([expect.stringMatching(reason)]);
  });

  test('with all reasons at once, which are evidence that a person may do without', () => {
    const seen: SeenInStage = { ...READY, stage: 'ramp_down', legacyQuietMs: 0, onlyAtUnified: 1, mirrors: { running: 1, failed: 1 } };
    expect(decideMove(seen, 'complete', RULES)).toMatchObject({ allowed: false, forcible: true, reasons: { length: 4 } });
    expect(missingEvidence(seen, RULES)).toHaveLength(4);
  });

  test('never two at once, nor past a rollout that is under way, and nobody can force that', () => {
    expect(decideMove({ ...READY, stage: 'off' }, 'shadow', RULES)).toEqual({
      ...{ allowed: false, forcible: false, reasons: ['stages move one at a time: from off to dual write'] },
    });
    for (const next of ['shadow', 'ramp_down'] as const)
      expect(decideMove({ ...READY, stage: 'live', rolloutRuns: true }, next, RULES)).toMatchObject({ allowed: false, forcible: false });
    expect(decideMove({ ...READY, stage: 'live' }, 'live', RULES)).toMatchObject({ allowed: false, forcible: false });
  });

  const counts = fc.nat(500);
  const anything: fc.Arbitrary<SeenInStage> = fc
    .record({
      stage: fc.constantFrom(...STAGES),
      share: fc.nat(100),
      switchesOff: fc.subarray(['A', 'B']),
      rolloutRuns: fc.boolean(),
      ...{ answered: counts, operations: counts, failed: counts, running: fc.nat(3), givenUp: fc.nat(3) },
      ...{ total: counts, only: counts, differing: counts, quiet: fc.option(fc.nat(2 * DAY)), onlyAtUnified: fc.nat(5) },
    })
    .map(({ operations, failed, running, givenUp, total, only, differing, quiet, ...seen }) => ({
      ...seen,
      candidate: { operations, failures: Math.min(failed, operations) },
      mirrors: { running, failed: givenUp },
      comparisons: {
        total,
        candidateOnly: Math.min(only, total),
        compared: total - Math.min(only, total),
        differing: Math.min(differing, total - Math.min(only, total)),
      },
      legacyQuietMs: quiet,
    }));
  const anyStage = fc.constantFrom(...STAGES);

  test('only to a neighbour, whatever was seen', () => {
    fc.assert(
      fc.property(anything, anyStage, (seen, next) => {
        const move = decideMove(seen, next, RULES);
        const far = Math.abs(STAGES.indexOf(next) - STAGES.indexOf(seen.stage)) !== 1;
        if (far || seen.rolloutRuns) expect(move).toMatchObject({ allowed: false, forcible: false });
        else if (next === stageBefore(seen.stage)) expect(move.allowed).toBe(true);
        if (!move.allowed) expect(move.reasons.length).toBeGreaterThan(0);
      }),
    );
  });

  test('never because more has gone wrong', () => {
    fc.assert(
      fc.property(anything, anyStage, fc.nat(50), (seen, next, more) => {
        if (decideMove(seen, next, RULES).allowed) return;
        const { operations, failures } = seen.candidate;
        const { total, candidateOnly, compared, differing } = seen.comparisons;
        const worse: SeenInStage = {
          ...{ ...seen, answered: seen.answered + more, onlyAtUnified: seen.onlyAtUnified + more },
          candidate: { operations, failures: Math.min(operations, failures + more) },
          mirrors: { running: seen.mirrors.running, failed: seen.mirrors.failed + more },
          comparisons: {
            total,
            candidateOnly: Math.min(total, candidateOnly + more),
            compared,
            differing: Math.min(compared, differing + more),
          },
        };
        expect(decideMove(worse, next, RULES).allowed).toBe(false);
      }),
    );
  });
});

describe('In a new stage', () => {
  test('`live` begins with nobody, and keeps everybody who comes back from ramp down', () => {
    expect(shareIn({ stage: 'shadow', share: 50 }, 'live')).toBe(0);
    expect(shareIn({ stage: 'ramp_down', share: 100 }, 'live')).toBe(100);
    expect(shareIn({ stage: 'live', share: 100 }, 'ramp_down')).toBe(100);
    expect(shareIn({ stage: 'live', share: 50 }, 'shadow')).toBe(0);
  });
  test.each(STAGES)('%s a rollout may start only where a share means something', (stage) => {
    const refusal = refusalOfRollout('kimi', stage);
    if (stage === 'off' || stage === 'shadow' || stage === 'live') expect(refusal).toBeNull();
    else expect(refusal).toContain('npx cutover rollout stage kimi');
  });
  test('a rollback has something to take back only where unified answers somebody', () => {
    expect(STAGES.filter(isLegacyAlone)).toEqual(['off', 'dual_write', 'shadow']);
  });
});
