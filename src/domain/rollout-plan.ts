import { ValidationError } from './errors.ts';
import type { RolloutPlan } from './rollout.ts';

/** What is not said comes from the configuration (ROLLOUT_…). */
export interface NewRollout {
  tool: string;
  /** Shares in per cent. */
  steps?: readonly number[];
  bakeMs?: number;
  evaluationMs?: number;
  /** Shares before which a person has to promote. */
  gates?: readonly number[];
  rules?: Partial<Omit<RolloutPlan['rules'], 'steps'>>;
  by: string;
  reason?: string | null;
  /** From 0. */
  firstStep?: number;
}

/**
 * Refuses a plan that cannot be meant, with all that is wrong with it.
 * @throws ValidationError `invalid_rollout`
 */
export function checkPlan({ tool, steps, bakeMs, evaluationMs, rules, gates }: RolloutPlan): void {
  const faults: string[] = [];
  if (steps.length === 0) faults.push('it has no steps: give at least one share, such as 1,10,50');
  for (const [at, share] of steps.entries()) {
    if (!(share > 0 && share <= 100)) faults.push(`the share of step ${at + 1} is ${share}: it must be above 0 and at most 100`);
    const before = steps[at - 1];
    if (before !== undefined && share <= before)
      faults.push(`step ${at + 1} goes from ${before} % to ${share} %: each step must be above the one before`);
  }
  for (const gate of gates)
    if (!Number.isInteger(gate) || gate < 1 || gate >= steps.length)
      faults.push(`there is no step ${gate + 1} that could wait for approval (the first begins at once, and there are ${steps.length})`);
  const ranges: [string, number, number, number][] = [
    ['the threshold', rules.threshold, 0, 1],
    ['alpha', rules.alpha, 0, 1],
    ['beta', rules.beta, 0, 1],
  ];
  for (const [what, value, min, max] of ranges)
    if (!(value > min && value < max)) faults.push(`${what} is ${value}: it must be above ${min} and below ${max}`);
  if (!(rules.mismatchTolerance >= 0 && rules.mismatchTolerance <= 1))
    faults.push(`the tolerance of mismatches is ${rules.mismatchTolerance}: it must be from 0 to 1`);
  if (!Number.isInteger(rules.minSamples) || rules.minSamples < 1)
    faults.push(`the minimum of samples is ${rules.minSamples}: it must be 1 or more`);
  if (!(bakeMs >= 0)) faults.push('the bake time must not be negative');
  if (!(evaluationMs > 0)) faults.push('the evaluation interval must be above 0');
  if (faults.length === 0) return;
  throw new ValidationError(`The rollout of ${tool} cannot be started: ${faults.join('; ')}`, { code: 'invalid_rollout' });
}
