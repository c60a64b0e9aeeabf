import { afterWaldLook, type JudgeRules, type StepEvidence } from '../../src/domain/judge.ts';
import { afterEvaluation, beginRollout, isOver, type RolloutPlan, type RolloutState } from '../../src/domain/rollout.ts';
import { withLiveFailure } from '../../src/domain/sequential-tests.ts';
import { seeded } from '../support/seeded.ts';

/** Operations of all arms between two looks. */
const PER_LOOK = 400;
const MINUTE = 60_000;
/** Of the operations that legacy serves, so many are shadowed. */
const SAMPLED = 0.1;
/** A ramp that has not ended by then is given up: it holds. */
const MOST_LOOKS = 20_000;

interface World {
  candidateFails: number;
  legacyFails: number;
  shadow: boolean;
  stickyUsers: boolean;
}

const rules = ({ shadow, stickyUsers }: World): JudgeRules => ({
  threshold: 0.05,
  minSamples: 150,
  alpha: 0.01,
  beta: 0.05,
  steps: 3,
  tests: { wald: true, liveControl: true, pairs: shadow },
  stickyUsers,
  onMismatch: 'hold',
  mismatchTolerance: 0,
});

/** One ramp by the real judge and the real state machine, looked at each minute. */
function ramp(
  world: World,
  random: () => number,
): { state: RolloutState; candidateOperations: number; comparisons: number; looks: number } {
  const plan: RolloutPlan = {
    tool: 'bench',
    steps: [1, 10, 50],
    bakeMs: 60 * MINUTE,
    evaluationMs: MINUTE,
    gates: [],
    rules: rules(world),
  };
  let { state } = beginRollout(plan, 0);
  let candidateOperations = 0;
  let comparisons = 0;
  let looks = 0;
  while (!isOver(state) && state.status !== 'guarding' && looks < MOST_LOOKS) {
    looks += 1;
    const evidence = observe(world, state, plan.rules, random);
    candidateOperations += evidence.candidate.operations - state.evidence.candidate.operations;
    comparisons += total(evidence.pairs) - total(state.evidence.pairs);
    state = afterEvaluation(plan, state, { ...evidence, wald: afterWaldLook(plan.rules, evidence) }, looks * MINUTE).state;
  }
  return { state, candidateOperations, comparisons, looks };
}

const total = (counts: Record<string, number>) => Object.values(counts).reduce((sum, count) => sum + count, 0);

/** The rule by which the ledger lets shadowing rest, which takes a ramp back: here with the minimum of samples of the ramp. */
const opensBreaker = ({ candidateOnly, both, neither, legacyOnly }: StepEvidence['pairs'], { threshold, minSamples }: JudgeRules) => {
  const comparisons = candidateOnly + both + neither + legacyOnly;
  return comparisons >= minSamples && candidateOnly > threshold * comparisons;
};

function observe(
  { candidateFails, legacyFails, shadow }: World,
  { share, evidence }: RolloutState,
  rules: JudgeRules,
  random: () => number,
): StepEvidence {
  const next = structuredClone(evidence) as StepEvidence & { candidate: { operations: number; failures: number } };
  for (let at = 0; at < PER_LOOK; at += 1) {
    const arm = random() * 100 < share ? 'candidate' : 'legacy';
    const failed = random() < (arm === 'candidate' ? candidateFails : legacyFails);
    next[arm].operations += 1;
    if (failed) {
      next[arm].failures += 1;
      next.liveControl = withLiveFailure(next.liveControl, { arm, share: share / 100 });
    }
    if (!shadow || arm === 'candidate' || random() >= SAMPLED) continue;
    const candidateFailed = random() < candidateFails;
    next.pairs[failed ? (candidateFailed ? 'both' : 'legacyOnly') : candidateFailed ? 'candidateOnly' : 'neither'] += 1;
    // After each comparison, as the ledger does, and for good.
    next.breaker ||= opensBreaker(next.pairs, rules);
  }
  return next;
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** How often a healthy ramp is rolled back wrongly, and how soon a bad one is: with all rules in force. */
export async function benchJudge([given]: string[] = []): Promise<void> {
  const runs = Number(given ?? 1000);
  console.log(`judge: ${runs} ramps each, 1 → 10 → 50 %, ${PER_LOOK} operations between two looks, threshold 5 %, α 1 %, 150 samples`);
  const rows: [string, World][] = [
    ['healthy, 1 % fail on both sides', { candidateFails: 0.01, legacyFails: 0.01, shadow: true, stickyUsers: false }],
    ['healthy, sticky users', { candidateFails: 0.01, legacyFails: 0.01, shadow: true, stickyUsers: true }],
    ['healthy, without shadowing', { candidateFails: 0.01, legacyFails: 0.01, shadow: false, stickyUsers: false }],
    ['5 % against 1 %, with shadowing', { candidateFails: 0.05, legacyFails: 0.01, shadow: true, stickyUsers: false }],
    ['5 % against 1 %, without', { candidateFails: 0.05, legacyFails: 0.01, shadow: false, stickyUsers: false }],
    ['10 % against 1 %, with shadowing', { candidateFails: 0.1, legacyFails: 0.01, shadow: true, stickyUsers: false }],
    ['10 % against 1 %, without', { candidateFails: 0.1, legacyFails: 0.01, shadow: false, stickyUsers: false }],
  ];
  const table = rows.map(([what, world]) => {
    const ended = Array.from({ length: runs }, (_, run) => ramp(world, seeded(run)));
    const back = ended.filter(({ state }) => state.status === 'rolled_back');
    const count = (wanted: (state: RolloutState) => boolean) => ended.filter(({ state }) => wanted(state)).length;
    return {
      ramps: what,
      'rolled back %': ((100 * back.length) / runs).toFixed(1),
      'of those at 1 %': count(({ status, step }) => status === 'rolled_back' && step === 0),
      'passed all steps': count(({ status }) => status === 'guarding'),
      'candidate operations until then': back.length === 0 ? '–' : median(back.map(({ candidateOperations }) => candidateOperations)),
      'comparisons until then': back.length === 0 ? '–' : median(back.map(({ comparisons }) => comparisons)),
    };
  });
  console.table(table);
}
