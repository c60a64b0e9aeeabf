import { ActivityFailure, ApplicationFailure, ChildWorkflowFailure, RetryState, TimeoutFailure, TimeoutType } from '@temporalio/common';
import { expect, test } from 'vitest';
import { mapErrors, toFailure } from '../../activities/failures.ts';
import { ProviderUnavailableError, UploadError } from '../../src/domain/errors.ts';
import { fromFailure } from '../../workflows/failures.ts';

const byActivity = (cause: Error) => new ActivityFailure('Activity task failed', 'storeContent', '1', RetryState.TIMEOUT, 'w', cause);
const byChild = (cause: Error) =>
  new ChildWorkflowFailure('default', { workflowId: 'upload:1' }, 'upload', RetryState.RETRY_POLICY_NOT_SET, cause);

test('an error of ours is found below what Temporal wraps around it, however deep', () => {
  const ours = toFailure(new UploadError('no room', { code: 'insufficient_storage', provider: 'supabase' }));
  for (const failure of [byActivity(ours), byChild(ours), byChild(byActivity(ours))])
    expect(fromFailure(failure)).toMatchObject({
      name: 'UploadError',
      code: 'insufficient_storage',
      message: 'no room',
      provider: 'supabase',
    });
});

test('a delay is waited for, but not a long one where somebody stands by', async () => {
  const rests = new ProviderUnavailableError('left alone', { code: 'circuit_open', retryable: true, retryAfterMs: 29_000 });
  const busy = new ProviderUnavailableError('busy', { code: 'rate_limited', retryable: true, retryAfterMs: 2_000 });
  const { step } = mapErrors({
    step: async (_input: { settings: { attempts?: number } }, error: Error): Promise<void> => {
      throw error;
    },
  });
  const failureOf = (settings: { attempts?: number }, error: Error) => step({ settings }, error).catch((failure: unknown) => failure);
  expect(await failureOf({}, rests)).toMatchObject({ nonRetryable: false, nextRetryDelay: 29_000 });
  expect(await failureOf({ attempts: 3 }, rests)).toMatchObject({ nonRetryable: true });
  expect(await failureOf({ attempts: 3 }, busy)).toMatchObject({ nonRetryable: false, nextRetryDelay: 2_000 });
});

test('a step that ran out of time is said to have, by its name, also of an upload in its migration', () => {
  const late = byActivity(new TimeoutFailure('activity timeout', undefined, TimeoutType.SCHEDULE_TO_CLOSE));
  for (const failure of [late, byChild(late)])
    expect(fromFailure(failure)).toMatchObject({ code: 'timeout', message: expect.stringContaining('storeContent') });
});

test('what is not known passes through', () => {
  for (const unknown of [new TypeError('a mistake of ours'), ApplicationFailure.create({ message: 'of somebody else' })])
    expect(fromFailure(unknown)).toBe(unknown);
});
