import {
  type LiveControlState,
  liveControlEvidence,
  NO_LIVE_FAILURES,
  pairsEvidence,
  reachesAlarm,
  type WaldVerdict,
  waldEvidence,
  waldVerdict,
} from './sequential-tests.ts';

/** By what a step of a ramp is judged. Travels as input of the workflow and is kept with each decision. */
export interface JudgeRules {
  /** Failures ÷ operations of the candidate above which it is rolled back, 0 to 1. */
  threshold: number;
  /** Candidate operations below which the threshold does not speak, and no step passes. */
  minSamples: number;
  /** False rollbacks that are accepted over the whole ramp, 0 to 1. Divided among the tests in force and the steps. */
  alpha: number;
  /** Bad candidates that Wald's test may accept, 0 to 1. */
  beta: number;
  /** Steps of the ramp, the last one included. */
  steps: number;
  /** Tests in force. One that is on and has no data holds the ramp. */
  tests: { wald: boolean; liveControl: boolean; pairs: boolean };
  /** The same user always has the same arm: failures cluster by user then, and the live control only reports. */
  stickyUsers: boolean;
  /** What mismatches above the noise do. */
  onMismatch: 'hold' | 'roll_back';
  /** Share of comparisons that may differ without being looked at, where no second control run measures the noise; 0 to 1. */
  mismatchTolerance: number;
}

/** What has been seen since the step began. Everything only grows. */
export interface StepEvidence {
  /** Failures include those that legacy answered instead. */
  candidate: { operations: number; failures: number };
  legacy: { operations: number; failures: number };
  liveControl: LiveControlState;
  /** Shadow comparisons by who failed. */
  pairs: { both: number; neither: number; candidateOnly: number; legacyOnly: number };
  /** Comparisons whose results were both there: how many differ in a field that counts, and in which; and in how many the candidate was too slow. */
  mismatches: { compared: number; differing: number; slow?: number; fields?: Readonly<Record<string, number>> };
  /** Of those with a second control run: where the candidate alone differed, and where the second control run alone did. */
  noise: { candidateOnly: number; controlOnly: number };
  /** Whether the breaker of shadowing opened in this step; absent where a ramp began before it was looked at. */
  breaker?: boolean;
  /** Wald's test comes to an end once in a step. */
  wald: WaldVerdict;
}

export const NO_EVIDENCE: StepEvidence = {
  candidate: { operations: 0, failures: 0 },
  legacy: { operations: 0, failures: 0 },
  liveControl: NO_LIVE_FAILURES,
  pairs: { both: 0, neither: 0, candidateOnly: 0, legacyOnly: 0 },
  mismatches: { compared: 0, differing: 0 },
  noise: { candidateOnly: 0, controlOnly: 0 },
  wald: 'undecided',
};

export type Verdict = 'go_on' | 'hold' | 'roll_back';

/** What one test says: `rest` is no objection. */
export interface Opinion {
  test: 'threshold' | 'wald' | 'live_control' | 'pairs' | 'breaker' | 'mismatches' | 'timing' | 'samples' | 'bake_time';
  says: 'rest' | 'hold' | 'roll_back';
  /** In numbers, for people. */
  why: string;
  /** The figure that is compared with `limit`; null where there is no data. */
  value: number | null;
  limit: number;
}

export interface Judgement {
  verdict: Verdict;
  /** Each test's, also of those that do not object. */
  opinions: Opinion[];
}

/** Of the rates that Wald's test tells apart, the acceptable one is a fifth of the threshold. */
const ACCEPTABLE = 1 / 5;

/** α of one test in one step. */
export function alphaOfOneTest({ alpha, steps, tests, stickyUsers }: JudgeRules): number {
  const inForce = [tests.wald, tests.liveControl && !stickyUsers, tests.pairs].filter(Boolean).length;
  return alpha / Math.max(1, inForce * steps);
}

export const waldRules = (rules: JudgeRules) => ({
  p0: rules.threshold * ACCEPTABLE,
  p1: rules.threshold,
  alpha: alphaOfOneTest(rules),
  beta: rules.beta,
});

/** What Wald's test says after this look: once it has come to an end in a step, it rests. */
export function afterWaldLook(rules: JudgeRules, { wald, candidate }: Pick<StepEvidence, 'wald' | 'candidate'>): WaldVerdict {
  if (wald !== 'undecided' || !rules.tests.wald) return wald;
  return waldVerdict(waldRules(rules), { failures: candidate.failures, successes: candidate.operations - candidate.failures });
}

/** Roll back where anything says so; else hold where anything objects or has no data; else go on. No data is never a success. */
export function judge(rules: JudgeRules, evidence: StepEvidence, { bakedMs, bakeMs }: { bakedMs: number; bakeMs: number }): Judgement {
  const opinions = [
    threshold(rules, evidence),
    ...(rules.tests.wald ? [wald(rules, evidence)] : []),
    ...(rules.tests.liveControl ? [liveControl(rules, evidence)] : []),
    ...(rules.tests.pairs ? [pairs(rules, evidence)] : []),
    ...(evidence.breaker === true ? [BREAKER_OPEN] : []),
    mismatches(rules, evidence),
    ...timing(rules, evidence),
    samples(rules, evidence),
    bakeTime(bakedMs, bakeMs),
  ];
  const says = (what: Opinion['says']) => opinions.some((opinion) => opinion.says === what);
  return { verdict: says('roll_back') ? 'roll_back' : says('hold') ? 'hold' : 'go_on', opinions };
}

function threshold({ threshold: limit, minSamples }: JudgeRules, { candidate: { operations, failures } }: StepEvidence): Opinion {
  const value = operations === 0 ? null : failures / operations;
  const speaks = value !== null && operations >= minSamples && value > limit;
  return {
    test: 'threshold',
    says: speaks ? 'roll_back' : 'rest',
    value,
    limit,
    why: `${failures} of ${operations} candidate operations failed`,
  };
}

function wald(rules: JudgeRules, { wald: verdict, candidate }: StepEvidence): Opinion {
  const test = waldRules(rules);
  const counts = { failures: candidate.failures, successes: candidate.operations - candidate.failures };
  const says = { roll_back: 'roll_back', accept: 'rest', undecided: 'hold' } as const;
  const why = {
    roll_back: `the candidate's failures are at ${percent(test.p1)} or more`,
    accept: `the candidate's failures are at ${percent(test.p0)} or less`,
    undecided: `not enough operations to tell ${percent(test.p1)} of failures from ${percent(test.p0)}`,
  };
  const value = candidate.operations === 0 ? null : waldEvidence(test, counts);
  const seen = `${candidate.failures} of ${candidate.operations} failed`;
  return { test: 'wald', says: says[verdict], why: `${why[verdict]} (${seen})`, value, limit: Math.log((1 - test.beta) / test.alpha) };
}

function liveControl(rules: JudgeRules, { liveControl: state, candidate, legacy }: StepEvidence): Opinion {
  const alpha = alphaOfOneTest(rules);
  const value = liveControlEvidence(state);
  const figures = { test: 'live_control', value, limit: 1 / alpha } as const;
  if (rules.stickyUsers) return { ...figures, says: 'rest', why: 'only reported: the same users are always on the same arm' };
  if (candidate.operations === 0 || legacy.operations === 0)
    return { ...figures, value: null, says: 'hold', why: 'no operations of both arms to compare yet' };
  const alarm = reachesAlarm(value, alpha);
  return {
    ...figures,
    says: alarm ? 'roll_back' : 'rest',
    why: `legacy failed ${legacy.failures} of ${legacy.operations} at the same time`,
  };
}

function pairs(rules: JudgeRules, { pairs: counts }: StepEvidence): Opinion {
  const alpha = alphaOfOneTest(rules);
  const total = counts.both + counts.neither + counts.candidateOnly + counts.legacyOnly;
  const figures = { test: 'pairs', limit: 1 / alpha } as const;
  if (total === 0) return { ...figures, value: null, says: 'hold', why: 'no shadow comparison yet' };
  const value = pairsEvidence(counts);
  const why = `of ${total} shadow comparisons the candidate alone failed ${counts.candidateOnly}, legacy alone ${counts.legacyOnly}`;
  return { ...figures, value, says: reachesAlarm(value, alpha) ? 'roll_back' : 'rest', why };
}

/** While it is open there are no pairs: what the candidate failed at would starve the test that is to see it. */
const BREAKER_OPEN: Opinion = {
  test: 'breaker',
  says: 'roll_back',
  value: 1,
  limit: 1,
  why: 'shadowing rests, because the candidate alone failed too often',
};

/** Of the fields that differ, those that an objection names. */
const FIELDS_NAMED = 3;

/** Where a second control run measures the noise, the candidate must differ more often than that; else more often than is tolerated. */
function mismatches(rules: JudgeRules, { mismatches: { compared, differing, fields = {} }, noise }: StepEvidence): Opinion {
  const measured = noise.candidateOnly + noise.controlOnly > 0;
  const limit = measured ? 1 / alphaOfOneTest(rules) : rules.mismatchTolerance;
  const value = measured
    ? pairsEvidence({ candidateOnly: noise.candidateOnly, legacyOnly: noise.controlOnly })
    : compared === 0
      ? null
      : differing / compared;
  const objects = value !== null && (measured ? value >= limit : value > limit);
  const named = Object.entries(fields).sort(([a, left], [b, right]) => right - left || (a < b ? -1 : 1));
  const which =
    named.length === 0
      ? ''
      : ` (${named
          .slice(0, FIELDS_NAMED)
          .map(([field, count]) => `${field} ${count}`)
          .join(', ')})`;
  const why = `${differing} of ${compared} comparisons differ${which}${measured ? `, beside ${noise.controlOnly} by noise alone` : ''}`;
  return { test: 'mismatches', says: objects ? rules.onMismatch : 'rest', why, value, limit };
}

/** Comparisons that may be slow: a machine has bad moments. */
const MAY_BE_SLOW = 0.05;

/** Says nothing where no comparison was slow. */
function timing({ onMismatch }: JudgeRules, { mismatches: { compared, slow = 0 } }: StepEvidence): Opinion[] {
  if (slow === 0) return [];
  const value = slow / compared;
  const why = `in ${slow} of ${compared} comparisons the candidate was much slower`;
  return [{ test: 'timing', says: value > MAY_BE_SLOW ? onMismatch : 'rest', why, value, limit: MAY_BE_SLOW }];
}

function samples({ minSamples }: JudgeRules, { candidate: { operations } }: StepEvidence): Opinion {
  const why = operations === 0 ? 'no traffic on the candidate' : `${operations} of ${minSamples} candidate operations`;
  return { test: 'samples', says: operations < minSamples ? 'hold' : 'rest', why, value: operations, limit: minSamples };
}

function bakeTime(bakedMs: number, bakeMs: number): Opinion {
  const why = `${Math.floor(bakedMs / 1000)} of ${Math.ceil(bakeMs / 1000)} s`;
  return { test: 'bake_time', says: bakedMs < bakeMs ? 'hold' : 'rest', why, value: bakedMs, limit: bakeMs };
}

const percent = (rate: number): string => `${Number((rate * 100).toPrecision(3))} %`;
