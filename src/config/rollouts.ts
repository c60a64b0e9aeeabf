import { z } from 'zod';
import { float, integer, list } from './parsers.ts';
import { setting } from './setting.ts';

/** How a rollout goes where nothing else is said when it is started. */
export function rolloutsSchema() {
  const variables = z.object({
    ROLLOUT_STEPS: setting(list('shares in per cent separated by commas, such as 1,10,50', /^\d+(\.\d+)?$/), {
      about: 'Shares of the steps, in per cent, each above the one before',
      default: ['1', '10', '50'],
      shown: '1,10,50',
    }),
    ROLLOUT_BAKE_MINUTES: setting(float({ min: 0, max: 525_600 }), { about: 'How long a step lasts at least', default: 60 }),
    ROLLOUT_EVALUATION_SECONDS: setting(float({ min: 0.1, max: 86_400 }), { about: 'How often a step is judged', default: 60 }),
    ROLLOUT_ERROR_THRESHOLD: setting(float({ min: 0.0001, max: 0.9999 }), {
      about: 'Share of failures of the candidate above which it is rolled back',
      default: 0.05,
    }),
    ROLLOUT_MIN_SAMPLES: setting(integer({ min: 1, max: 1_000_000_000 }), {
      about: 'Candidate operations before that threshold counts and before a step passes',
      default: 150,
    }),
    ROLLOUT_ALPHA: setting(float({ min: 0.000001, max: 0.5 }), {
      about: 'False rollbacks that are accepted over a whole rollout',
      default: 0.01,
    }),
  });
  const schema = variables.transform((v, context) => {
    const steps = v.ROLLOUT_STEPS.map(Number);
    const wrong = steps.find((share, at) => !(share > 0 && share <= 100) || share <= (steps[at - 1] ?? 0));
    if (wrong !== undefined)
      context.addIssue({
        code: 'custom',
        path: ['ROLLOUT_STEPS'],
        message: `must be shares above 0 and at most 100, each above the one before (${wrong} is not)`,
      });
    return {
      steps,
      bakeMs: v.ROLLOUT_BAKE_MINUTES * 60_000,
      evaluationMs: v.ROLLOUT_EVALUATION_SECONDS * 1000,
      errorThreshold: v.ROLLOUT_ERROR_THRESHOLD,
      minSamples: v.ROLLOUT_MIN_SAMPLES,
      alpha: v.ROLLOUT_ALPHA,
    };
  });
  return { title: 'Rollouts', variables, schema };
}
