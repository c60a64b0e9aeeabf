import { type Judgement, type JudgeRules, judge, NO_EVIDENCE, type StepEvidence } from './judge.ts';

/** A ramp as a state machine: what an evaluation, a signal or a passing of time makes of it. The workflow does what it says. */

/** What a ramp is started with. */
export interface RolloutPlan {
  tool: string;
  /** Shares in per cent, each above the one before. */
  steps: readonly number[];
  /** How long a step lasts at least, in ms. Time that it is paused does not count. */
  bakeMs: number;
  evaluationMs: number;
  rules: JudgeRules;
  /** Steps (from 0) that begin only after a `promote`. */
  gates: readonly number[];
}

/**
 * - `running`: a step is under way. `awaiting_approval`: the step before a gate has passed.
 * - `guarding`: the last step has passed; its share is watched until it is promoted or rolled back.
 */
export type RolloutStatus = 'running' | 'awaiting_approval' | 'guarding' | 'completed' | 'rolled_back';

export interface RolloutState {
  status: RolloutStatus;
  /** From 0. */
  step: number;
  /** In per cent. */
  share: number;
  /** Why it is paused; each pause is lifted under its own reason. Not paused where there is none. */
  pauses: readonly string[];
  /** How long the step has baked up to `countedAtMs`, without the pauses. */
  bakedMs: number;
  countedAtMs: number;
  evidence: StepEvidence;
  judgement: Judgement | null;
}

/** A line of the audit. */
export interface Decision {
  decision:
    | 'started'
    | 'went_on'
    | 'held'
    | 'awaits_approval'
    | 'guards'
    | 'paused'
    | 'resumed'
    | 'promoted'
    | 'promote_refused'
    | 'completed'
    | 'rolled_back';
  decidedBy: string;
  reason: string;
  shareBefore: number;
  shareAfter: number;
  step: number;
}

export interface Transition {
  state: RolloutState;
  /** None where nothing changed that a person should know. */
  decisions: Decision[];
}

/** Who and why, as a signal says it. */
export interface Request {
  by: string;
  reason: string | null;
}

export const isOver = ({ status }: RolloutState): boolean => status === 'completed' || status === 'rolled_back';

/** @param step where to begin: 0, or the failed step of an earlier ramp where that was asked for */
export function beginRollout(plan: RolloutPlan, nowMs: number, step = 0): Transition {
  const share = plan.steps[step] ?? 0;
  const state: RolloutState = {
    status: 'running',
    step,
    share,
    pauses: [],
    bakedMs: 0,
    countedAtMs: nowMs,
    evidence: NO_EVIDENCE,
    judgement: null,
  };
  return { state, decisions: [{ ...line(state, 'the operator', 'started', `step ${step + 1} of ${plan.steps.length}`), shareBefore: 0 }] };
}

/** Counts the time that has passed; a pause stops the clock of a step. */
export function withTime(state: RolloutState, nowMs: number): RolloutState {
  const passed = Math.max(0, nowMs - state.countedAtMs);
  return { ...state, countedAtMs: nowMs, bakedMs: state.bakedMs + (state.pauses.length === 0 ? passed : 0) };
}

/**
 * One look at the evidence of the step. Rolls back in every state that is not over, also when paused: a pause keeps the ramp
 * from going on, not from being safe.
 */
export function afterEvaluation(plan: RolloutPlan, before: RolloutState, evidence: StepEvidence, nowMs: number): Transition {
  if (isOver(before)) return { state: before, decisions: [] };
  const timed = withTime(before, nowMs);
  const judgement = judge(rulesAt(plan.rules, before.share), evidence, { bakedMs: timed.bakedMs, bakeMs: plan.bakeMs });
  const state = { ...timed, evidence, judgement };
  if (judgement.verdict === 'roll_back') return rolledBack(state, { by: 'the judge', reason: objections(judgement, 'roll_back') });
  if (judgement.verdict === 'go_on' && state.status === 'running' && state.pauses.length === 0) return passStep(plan, state, 'the judge');
  const held = objections(judgement, 'hold');
  const heldBefore = before.judgement === null ? '' : objections(before.judgement, 'hold');
  // Once for each set of reasons, not for each look.
  const news = judgement.verdict === 'hold' && testsOf(held) !== testsOf(heldBefore);
  return { state, decisions: news ? [line(state, 'the judge', 'held', held)] : [] };
}

/** At 100 % nobody is left to compare with. */
function rulesAt(rules: JudgeRules, share: number): JudgeRules {
  return share < 100 ? rules : { ...rules, tests: { ...rules.tests, liveControl: false, pairs: false } };
}

export function afterPause(state: RolloutState, { by, reason }: Request, nowMs: number): Transition {
  const why = reason ?? 'no reason given';
  if (isOver(state) || state.pauses.includes(why)) return { state, decisions: [] };
  const paused = { ...withTime(state, nowMs), pauses: [...state.pauses, why] };
  return { state: paused, decisions: [line(paused, by, 'paused', why)] };
}

/** Lifts the pause of this reason, or all of them where none is named. */
export function afterResume(state: RolloutState, { by, reason }: Request, nowMs: number): Transition {
  const left = reason === null ? [] : state.pauses.filter((pause) => pause !== reason);
  if (isOver(state) || left.length === state.pauses.length) return { state, decisions: [] };
  const resumed = { ...withTime(state, nowMs), pauses: left };
  const why = left.length === 0 ? (reason ?? 'all pauses lifted') : `${reason}; still paused: ${left.join(', ')}`;
  return { state: resumed, decisions: [line(resumed, by, 'resumed', why)] };
}

/** Ends the current step and satisfies its gate; never jumps further. After the last step it completes the ramp. */
export function afterPromote(plan: RolloutPlan, state: RolloutState, { by, reason }: Request, nowMs: number): Transition {
  if (isOver(state)) return { state, decisions: [] };
  if (state.pauses.length > 0)
    return { state, decisions: [line(state, by, 'promote_refused', `it is paused (${state.pauses.join(', ')}): resume it first`)] };
  const timed = withTime(state, nowMs);
  if (state.status !== 'guarding') {
    const passed = state.status === 'awaiting_approval' ? enterStep(plan, timed, by) : passStep(plan, timed, by, { approved: true });
    return { ...passed, decisions: [line(state, by, 'promoted', reason ?? 'no reason given'), ...passed.decisions] };
  }
  const completed: RolloutState = { ...timed, status: 'completed' };
  return { state: completed, decisions: [line(completed, by, 'completed', reason ?? `stays at ${state.share} %`)] };
}

/** Possible in every state, also after the end: a completed ramp is taken back to 0, too. Idempotent. */
export function afterRollback(state: RolloutState, { by, reason }: Request, nowMs: number): Transition {
  if (state.status === 'rolled_back') return { state, decisions: [] };
  return rolledBack(withTime(state, nowMs), { by, reason: reason ?? 'no reason given' });
}

function rolledBack(state: RolloutState, { by, reason }: { by: string; reason: string }): Transition {
  const after: RolloutState = { ...state, status: 'rolled_back', share: 0, pauses: [] };
  return { state: after, decisions: [{ ...line(after, by, 'rolled_back', reason), shareBefore: state.share }] };
}

function passStep(plan: RolloutPlan, state: RolloutState, by: string, { approved = false } = {}): Transition {
  const next = state.step + 1;
  if (next >= plan.steps.length) {
    const guarding: RolloutState = { ...state, status: 'guarding' };
    return {
      state: guarding,
      decisions: [line(guarding, by, 'guards', `the last step has passed; ${state.share} % is watched until it is promoted`)],
    };
  }
  if (!plan.gates.includes(next) || approved) return enterStep(plan, state, by);
  const waiting: RolloutState = { ...state, status: 'awaiting_approval' };
  return { state: waiting, decisions: [line(waiting, by, 'awaits_approval', `${plan.steps[next]} % waits for a promote`)] };
}

function enterStep(plan: RolloutPlan, state: RolloutState, by: string): Transition {
  const step = state.step + 1;
  const share = plan.steps[step] ?? state.share;
  const entered: RolloutState = { ...state, status: 'running', step, share, bakedMs: 0, evidence: NO_EVIDENCE, judgement: null };
  const went = line(entered, by, 'went_on', `step ${step + 1} of ${plan.steps.length}: ${share} %`);
  return { state: entered, decisions: [{ ...went, shareBefore: state.share }] };
}

/** Without a change of share. */
const line = ({ share, step }: RolloutState, decidedBy: string, decision: Decision['decision'], reason: string): Decision => ({
  decision,
  decidedBy,
  reason,
  shareBefore: share,
  shareAfter: share,
  step,
});

const objections = ({ opinions }: Judgement, says: 'hold' | 'roll_back'): string =>
  opinions
    .filter((opinion) => opinion.says === says)
    .map(({ test, why }) => `${test.replace('_', ' ')}: ${why}`)
    .join('; ');

/** The tests that object, without their figures, which change with every look. */
const testsOf = (reasons: string): string =>
  reasons
    .split('; ')
    .map((reason) => reason.split(':')[0])
    .join();

/** The status as the ledger and the Temporal UI show it: a pause is seen there. */
export function recordedStatus({ status, pauses }: RolloutState): RolloutStatus | 'paused' {
  return pauses.length > 0 && status !== 'completed' && status !== 'rolled_back' ? 'paused' : status;
}

/** What the Temporal UI shows while it runs, in Markdown. */
export function describeRollout(
  plan: RolloutPlan,
  { state, nextEvaluationMs, trouble }: { state: RolloutState; nextEvaluationMs: number | null; trouble: string | null },
): string {
  const pauses = state.pauses.length === 0 ? '' : `: ${state.pauses.join(', ')}`;
  const lines = [
    `**${recordedStatus(state).replace('_', ' ')}**${pauses}: ${state.share} % of ${plan.tool}, step ${state.step + 1} of ${plan.steps.length}`,
    ...(trouble === null ? [] : [`the evidence cannot be read, so it holds: ${trouble}`]),
    ...(state.judgement === null ? [] : [`last verdict: ${state.judgement.verdict.replace('_', ' ')}`]),
    ...(state.judgement?.opinions ?? []).map(({ test, says, why }) => `- ${test.replace('_', ' ')}: ${says.replace('_', ' ')} (${why})`),
    ...(nextEvaluationMs === null ? [] : [`next evaluation: ${new Date(nextEvaluationMs).toISOString()}`]),
  ];
  return lines.join('\n\n');
}
