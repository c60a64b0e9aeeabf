import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NO_EVIDENCE, type StepEvidence } from '../../src/domain/judge.ts';
import {
  afterEvaluation,
  afterPause,
  afterPromote,
  afterResume,
  afterRollback,
  beginRollout,
  isOver,
  type RolloutPlan,
  type RolloutState,
} from '../../src/domain/rollout.ts';
import { checkPlan } from '../../src/domain/rollout-plan.ts';

const PLAN: RolloutPlan = {
  tool: 'kimi',
  steps: [1, 10, 50],
  bakeMs: 1000,
  evaluationMs: 100,
  gates: [],
  rules: {
    threshold: 0.05,
    minSamples: 100,
    alpha: 0.01,
    beta: 0.05,
    steps: 3,
    tests: { wald: false, liveControl: false, pairs: false },
    stickyUsers: true,
    onMismatch: 'hold',
    mismatchTolerance: 0,
  },
};
const GOOD: StepEvidence = { ...NO_EVIDENCE, candidate: { operations: 200, failures: 0 } };
const BAD: StepEvidence = { ...NO_EVIDENCE, candidate: { operations: 200, failures: 100 } };
const ops = { by: 'ops', reason: null };

/** Applies steps one after the other, a second apart, and keeps the decisions. */
function ramp(plan: RolloutPlan, ...steps: ((state: RolloutState, nowMs: number) => { state: RolloutState; decisions: unknown[] })[]) {
  let { state, decisions } = beginRollout(plan, 0) as { state: RolloutState; decisions: unknown[] };
  steps.forEach((step, at) => {
    const next = step(state, (at + 1) * 1000);
    state = next.state;
    decisions = [...decisions, ...next.decisions];
  });
  return { state, decisions: (decisions as { decision: string }[]).map(({ decision }) => decision) };
}
const look =
  (evidence: StepEvidence, plan = PLAN) =>
  (state: RolloutState, now: number) =>
    afterEvaluation(plan, state, evidence, now);
const pause =
  (reason: string | null = null) =>
  (state: RolloutState, now: number) =>
    afterPause(state, { by: 'ops', reason }, now);
const resume =
  (reason: string | null = null) =>
  (state: RolloutState, now: number) =>
    afterResume(state, { by: 'ops', reason }, now);
const promote =
  (plan = PLAN) =>
  (state: RolloutState, now: number) =>
    afterPromote(plan, state, ops, now);
const rollback = (state: RolloutState, now: number) => afterRollback(state, { by: 'ops', reason: 'smoke' }, now);

describe('a ramp', () => {
  test('of a healthy candidate goes 1 → 10 → 50, guards, and is completed by a promote', () => {
    const { state, decisions } = ramp(PLAN, look(GOOD), look(GOOD), look(GOOD), look(GOOD), promote());
    expect(state).toMatchObject({ status: 'completed', share: 50, step: 2 });
    expect(decisions).toEqual(['started', 'went_on', 'went_on', 'guards', 'completed']);
  });
  test('without traffic never goes on, and says why once', () => {
    const { state, decisions } = ramp(PLAN, ...Array.from({ length: 50 }, () => look(NO_EVIDENCE)));
    expect(state).toMatchObject({ status: 'running', share: 1, step: 0 });
    expect(decisions).toEqual(['started', 'held']);
  });
  test('of a bad candidate is rolled back in the step, and that is the end', () => {
    const { state, decisions } = ramp(PLAN, look(GOOD), look(BAD), look(GOOD), promote(), pause());
    expect(state).toMatchObject({ status: 'rolled_back', share: 0, step: 1 });
    expect(decisions).toEqual(['started', 'went_on', 'rolled_back']);
  });
  test('that guards is still rolled back', () => {
    const { state } = ramp(PLAN, look(GOOD), look(GOOD), look(GOOD), look(BAD));
    expect(state).toMatchObject({ status: 'rolled_back', share: 0 });
  });
  test('at 100 % waits for no comparison, because nobody is left to compare with', () => {
    const rules = { ...PLAN.rules, tests: { wald: false, liveControl: true, pairs: true }, stickyUsers: false };
    const at = (share: number) => ramp({ ...PLAN, steps: [share], rules }, look(GOOD, { ...PLAN, steps: [share], rules })).state.status;
    expect([at(50), at(100)]).toEqual(['running', 'guarding']);
  });
  test('may begin at a later step', () => expect(beginRollout(PLAN, 0, 1).state).toMatchObject({ step: 1, share: 10 }));
});

describe('a pause', () => {
  test('keeps the ramp where it is, and stops the clock of its step', () => {
    const { state } = ramp(PLAN, pause(), look(GOOD), look(GOOD), resume());
    expect(state).toMatchObject({ status: 'running', step: 0, bakedMs: 1000 });
  });
  test('is lifted under its own reason; the others stay', () => {
    const { state, decisions } = ramp(PLAN, pause('deploy'), pause('incident'), pause('deploy'), resume('deploy'), look(GOOD));
    expect(state).toMatchObject({ pauses: ['incident'], step: 0 });
    expect(decisions).toEqual(['started', 'paused', 'paused', 'resumed']);
  });
  test('is lifted altogether by a resume without a reason', () =>
    expect(ramp(PLAN, pause('deploy'), pause('incident'), resume()).state.pauses).toEqual([]));
  test('does not keep a bad candidate from being rolled back', () =>
    expect(ramp(PLAN, pause(), look(BAD)).state).toMatchObject({ status: 'rolled_back', share: 0, pauses: [] }));
  test('refuses a promote, and says so', () => expect(ramp(PLAN, pause('deploy'), promote()).decisions).toContain('promote_refused'));
});

describe('a promote', () => {
  test('ends the step that is under way, and never jumps further', () =>
    expect(ramp(PLAN, promote()).state).toMatchObject({ step: 1, share: 10, status: 'running', bakedMs: 0 }));
  test('satisfies the gate before the next step', () => {
    const gated = { ...PLAN, gates: [1] };
    const waiting = ramp(gated, look(GOOD, gated), look(GOOD, gated));
    expect(waiting.state).toMatchObject({ status: 'awaiting_approval', step: 0, share: 1 });
    expect(waiting.decisions).toEqual(['started', 'awaits_approval']);
    expect(ramp(gated, look(GOOD, gated), promote(gated)).state).toMatchObject({ status: 'running', step: 1, share: 10 });
    expect(ramp(gated, promote(gated)).state).toMatchObject({ status: 'running', step: 1 });
  });
  test('after the end changes nothing', () => {
    const { state, decisions } = ramp(PLAN, rollback, promote());
    expect(state.status).toBe('rolled_back');
    expect(decisions).toEqual(['started', 'rolled_back']);
  });
});

test('a rollback is possible in every state, sets the share to 0, and is done once', () => {
  const action = fc.constantFrom(look(GOOD), look(BAD), look(NO_EVIDENCE), pause(), pause('x'), resume(), resume('x'), promote());
  fc.assert(
    fc.property(fc.array(action, { maxLength: 12 }), (before) => {
      const { state, decisions } = ramp(PLAN, ...before, rollback, rollback);
      expect(state).toMatchObject({ status: 'rolled_back', share: 0 });
      expect(decisions.filter((decision) => decision === 'rolled_back')).toHaveLength(1);
    }),
  );
});

test('the share is 0 or the step’s, and never falls but by a rollback', () => {
  const action = fc.constantFrom(look(GOOD), look(BAD), look(NO_EVIDENCE), pause(), resume(), promote(), rollback);
  fc.assert(
    fc.property(fc.array(action, { maxLength: 20 }), (actions) => {
      let { state } = beginRollout(PLAN, 0);
      actions.forEach((act, at) => {
        const next = act(state, at * 1000).state;
        if (next.status === 'rolled_back') expect(next.share).toBe(0);
        else {
          expect(next.share).toBe(PLAN.steps[next.step]);
          expect(next.share).toBeGreaterThanOrEqual(state.share);
          expect(next.step - state.step).toBeLessThanOrEqual(1);
        }
        if (isOver(state) && state.status === 'rolled_back') expect(next).toBe(state);
        state = next;
      });
    }),
  );
});

test.each<[string, Partial<RolloutPlan>, RegExp]>([
  ['a share of 101', { steps: [1, 101] }, /step 2 is 101/],
  ['steps that go down', { steps: [10, 5] }, /from 10 % to 5 %/],
  ['no steps', { steps: [] }, /no steps/],
  ['a share of 0', { steps: [0, 5] }, /step 1 is 0/],
  ['what is no number', { steps: [Number.NaN] }, /NaN/],
  ['a gate before the first step', { gates: [0] }, /no step 1 that could wait/],
  ['a threshold of 0', { rules: { ...PLAN.rules, threshold: 0 } }, /threshold is 0/],
])('a plan with %s is refused, saying what is wrong', (_, change, message) => {
  expect(() => checkPlan({ ...PLAN, ...change })).toThrow(message);
});
test('a plan that can be meant is taken', () => expect(() => checkPlan(PLAN)).not.toThrow());
