import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, test } from 'vitest';
import { mapErrors } from '../../activities/failures.ts';
import { createRolloutActivities } from '../../activities/rollout.ts';
import { LedgerError } from '../../src/domain/errors.ts';
import type { RolloutLedger } from '../../src/ledger/rollout-ledger.ts';

/** The ledger refuses to write: its disk is full, its key was changed. */
const refusing = {
  rollout: async () => null,
  decide: () => Promise.reject(new LedgerError('disk full', { code: 'insufficient_storage' })),
};
const { decideRollout } = mapErrors(createRolloutActivities({ rollouts: refusing as unknown as RolloutLedger }));
async function failure(decision: string): Promise<ApplicationFailure> {
  const line = { decisionId: 'd', tool: 'kimi', decision, decidedBy: 'the judge', reason: 'r', state: { share: 0 }, evidence: {} };
  const error = await new MockActivityEnvironment().run(decideRollout, line).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ApplicationFailure);
  return error as ApplicationFailure;
}

describe('A decision that the ledger refuses', () => {
  test.each(['rolled_back', 'paused', 'went_on'])(
    'is tried again where a ramp is under way, which would lose its guard: %s',
    async (decision) => {
      expect((await failure(decision)).nonRetryable).toBe(false);
    },
  );
  test('is told at once where a ramp is to begin', async () => expect((await failure('started')).nonRetryable).toBe(true));
});
