import { afterWaldLook, type JudgeRules, type StepEvidence } from './judge.ts';
import { liveControlOf } from './sequential-tests.ts';

/** What the ledger has counted in one step. */
export interface CountedEvidence {
  arms: { legacy?: { operations: number; failures: number }; unified?: { operations: number; failures: number } };
  pairs: Partial<StepEvidence['pairs']>;
  /** `differing`: in anything but the time, which is `slow`. */
  mismatches: { compared: number; differing: number; slow?: number; candidateOnly: number; controlOnly: number };
  /** How many of those compared differ in a field. */
  fields?: Readonly<Record<string, number>>;
  /** Whether shadowing rests or has rested in this step, because the candidate alone failed too often. */
  breaker?: boolean;
}

const NONE = { operations: 0, failures: 0 };

/**
 * The evidence of a step from its counts, after one more look. The order of failures within a step says nothing, because the share
 * is the same throughout.
 * @param share of the step, in per cent
 */
export function evidenceOf(counted: CountedEvidence, share: number, before: StepEvidence, rules: JudgeRules): StepEvidence {
  const candidate = counted.arms.unified ?? NONE;
  const legacy = counted.arms.legacy ?? NONE;
  const { compared, differing, slow = 0, candidateOnly, controlOnly } = counted.mismatches;
  return {
    candidate,
    legacy,
    liveControl: liveControlOf({ candidateFailures: candidate.failures, legacyFailures: legacy.failures, share: share / 100 }),
    pairs: { both: 0, neither: 0, candidateOnly: 0, legacyOnly: 0, ...counted.pairs },
    mismatches: { compared, differing, slow, fields: counted.fields ?? {} },
    noise: { candidateOnly, controlOnly },
    breaker: counted.breaker ?? false,
    wald: afterWaldLook(rules, { wald: before.wald, candidate }),
  };
}
