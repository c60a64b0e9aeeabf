/**
 * Tests that may be looked at after every observation without raising false alarms (anytime-valid). Each takes counts or states
 * that only grow, so that the evidence of a step can be judged again later under other rules.
 */

/** A test speaks for rolling back when its evidence reaches 1/α: false alarms are then at most α, however often one looks (Ville). */
export const reachesAlarm = (e: number, alpha: number): boolean => e >= 1 / alpha;

/** How many times worse the candidate may be than the control, as alternatives of equal weight. */
const LIVE_GRID = [1.5, 2, 4, 8, 16] as const;

/** Log likelihood ratios, one for each alternative of the grid. */
export type LiveControlState = readonly number[];

export const NO_LIVE_FAILURES: LiveControlState = LIVE_GRID.map(() => 0);

/**
 * The live control, conditioning on failures: given that one happened, it is the candidate's with probability θs/(θs+1−s), where
 * `share` s is the candidate's share of traffic at that moment (0 to 1) and θ how much worse it is.
 * @returns the state after one more failure
 */
export function withLiveFailure(state: LiveControlState, { arm, share }: { arm: 'candidate' | 'legacy'; share: number }): LiveControlState {
  return LIVE_GRID.map((theta, at) => (state[at] ?? 0) + Math.log((arm === 'candidate' ? theta : 1) / (share * theta + 1 - share)));
}

/** As many failures of each arm at one share, in whatever order. */
export function liveControlOf(counts: { candidateFailures: number; legacyFailures: number; share: number }): LiveControlState {
  const one = (arm: 'candidate' | 'legacy') => withLiveFailure(NO_LIVE_FAILURES, { arm, share: counts.share });
  const [candidate, legacy] = [one('candidate'), one('legacy')];
  return LIVE_GRID.map((_, at) => counts.candidateFailures * (candidate[at] ?? 0) + counts.legacyFailures * (legacy[at] ?? 0));
}

/** The e-value: the mean of the likelihood ratios over the grid. */
export const liveControlEvidence = (state: LiveControlState): number => mean(state.map(Math.exp));

/** The odds that a discordant pair is the candidate's fault, as alternatives to one half. */
const PAIRS_GRID = [0.6, 0.75, 0.9, 0.99] as const;

/**
 * Shadow pairs, of which only the discordant ones count: those that failed at the candidate alone and those at legacy alone.
 * A sequential sign test as an e-value: the mean over q of (2q)^candidateOnly · (2−2q)^legacyOnly.
 */
export function pairsEvidence({ candidateOnly, legacyOnly }: { candidateOnly: number; legacyOnly: number }): number {
  return mean(PAIRS_GRID.map((q) => Math.exp(candidateOnly * Math.log(2 * q) + legacyOnly * Math.log(2 - 2 * q))));
}

/** A rate that is fine, one that is not, and how often each may be mistaken for the other. */
export interface WaldRules {
  /** The acceptable rate of failures. */
  p0: number;
  /** The rate at which to roll back. */
  p1: number;
  /** Rolling a good candidate back. */
  alpha: number;
  /** Accepting a bad one. */
  beta: number;
}

export type WaldVerdict = 'roll_back' | 'accept' | 'undecided';

/** The logarithm of the likelihood ratio of p1 against p0. Source: A. Wald, Sequential Tests of Statistical Hypotheses (1945). */
export function waldEvidence({ p0, p1 }: WaldRules, { failures, successes }: { failures: number; successes: number }): number {
  return failures * Math.log(p1 / p0) + successes * Math.log((1 - p1) / (1 - p0));
}

/** From where on the evidence says to roll back. */
export const waldRollBackAt = ({ alpha, beta }: WaldRules): number => Math.log((1 - beta) / alpha);
/** Down to where the evidence says to accept. */
export const waldAcceptAt = ({ alpha, beta }: WaldRules): number => Math.log(beta / (1 - alpha));

/** Of one look. Crossing a line is final for a step: who calls remembers it. */
export function waldVerdict(rules: WaldRules, counts: { failures: number; successes: number }): WaldVerdict {
  const evidence = waldEvidence(rules, counts);
  if (evidence >= waldRollBackAt(rules)) return 'roll_back';
  return evidence <= waldAcceptAt(rules) ? 'accept' : 'undecided';
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
