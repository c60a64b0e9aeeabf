import type { Pair } from './comparison.ts';
import { afterWaldLook, type Judgement, type JudgeRules, judge, NO_EVIDENCE, type StepEvidence } from './judge.ts';
import type { Arm } from './routing.ts';
import { liveControlOf } from './sequential-tests.ts';

/** What a recorded step has seen in one minute: operations of an arm, or comparisons that ended as a pair. */
export interface SeenMinute {
  minute: string;
  what: Arm | Pair;
  count: number;
  /** Of an arm, those that failed; of a pair, those in which a field differs. */
  failures: number;
}

export interface Rejudgement {
  /** The first minute in which the verdict is not to hold; null: it holds to the end. */
  at: string | null;
  judgement: Judgement;
}

/**
 * What would have become of a step under other rules, from what was recorded: looked at after each minute, its bake time taken as
 * over from the first minute on plus `bakeMs`.
 * @param share of the step, in per cent
 */
export function rejudge(minutes: readonly SeenMinute[], share: number, rules: JudgeRules, bakeMs: number): Rejudgement {
  let evidence: StepEvidence = NO_EVIDENCE;
  const times = [...new Set(minutes.map(({ minute }) => minute))].sort((a, b) => Date.parse(a) - Date.parse(b));
  const began = Date.parse(times[0] ?? '1970-01-01T00:00:00Z');
  let judgement = judge(rules, evidence, { bakedMs: 0, bakeMs });
  for (const minute of times) {
    for (const seen of minutes.filter((each) => each.minute === minute)) evidence = withMinute(evidence, seen);
    const liveControl = liveControlOf({
      candidateFailures: evidence.candidate.failures,
      legacyFailures: evidence.legacy.failures,
      share: share / 100,
    });
    evidence = { ...evidence, liveControl, wald: afterWaldLook(rules, evidence) };
    // A minute is looked at when it is over.
    judgement = judge(rules, evidence, { bakedMs: Date.parse(minute) + 60_000 - began, bakeMs });
    if (judgement.verdict !== 'hold') return { at: minute, judgement };
  }
  return { at: null, judgement };
}

function withMinute(evidence: StepEvidence, { what, count, failures }: SeenMinute): StepEvidence {
  if (what === 'legacy' || what === 'unified') {
    const side = what === 'unified' ? 'candidate' : 'legacy';
    const before = evidence[side];
    return { ...evidence, [side]: { operations: before.operations + count, failures: before.failures + failures } };
  }
  const pairs = { ...evidence.pairs, [what]: evidence.pairs[what] + count };
  if (what !== 'neither') return { ...evidence, pairs };
  const { compared, differing } = evidence.mismatches;
  return { ...evidence, pairs, mismatches: { compared: compared + count, differing: differing + failures } };
}
