import { CancelledFailure } from '@temporalio/activity';
import { type Client, WorkflowFailedError } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { describe, expect, test } from 'vitest';
import { createMigrateActivities, type MigrateActivitiesDependencies } from '../../activities/migrate.ts';
import { TURN_MS } from '../../activities/turn.ts';
import { createUploadActivities, type UploadActivitiesDependencies } from '../../activities/upload.ts';
import type { FileContent } from '../../src/domain/models.ts';
import type { UploadInput } from '../../workflows/contract.ts';

/** Temporal's client as far as waiting for an upload needs it. `cancelled` counts how often somebody cancelled the upload. */
function clientWith(result: () => Promise<unknown>) {
  const calls = { cancelled: 0 };
  const handle = { result, cancel: async () => void calls.cancelled++ };
  const withAbortSignal = (signal: AbortSignal, run: () => Promise<unknown>) =>
    Promise.race([run(), new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true }))]);
  return { calls, client: { workflow: { getHandle: () => handle }, withAbortSignal } as unknown as Client };
}
const quiet = () => new MockActivityEnvironment(undefined, { logger: new DefaultLogger('ERROR') });
const awaiting = (client: Client) => createMigrateActivities({ client } as MigrateActivitiesDependencies).awaitUpload;

describe('waiting for an upload that an earlier run started', () => {
  test.each(['WORKER_SHUTDOWN', 'NOT_FOUND', 'TIMED_OUT', 'CANCELLED'] as const)(
    'ends at once on %s, and leaves the upload alone',
    async (reason) => {
      const { client, calls } = clientWith(() => new Promise(() => undefined));
      const environment = quiet();
      const waiting = environment.run(awaiting(client), 'upload:1');
      environment.cancel(reason);
      await expect(waiting).rejects.toBeInstanceOf(CancelledFailure);
      expect(calls.cancelled).toBe(0);
    },
  );

  test('gives its place up after a turn, to be tried again soon', async () => {
    const { client } = clientWith(() => new Promise(() => undefined));
    await expect(quiet().run(awaiting(client), 'upload:1')).rejects.toMatchObject({
      type: 'StillWaiting',
      nonRetryable: false,
      category: 'BENIGN',
    });
  }, 10_000);

  test('tells a cancelled upload from one that was lost', async () => {
    const ended = (cause: Error) => clientWith(async () => Promise.reject(new WorkflowFailedError('ended', cause, 'IN_PROGRESS'))).client;
    const outcome = (cause: Error) => quiet().run(awaiting(ended(cause)), 'upload:1');
    await expect(outcome(new CancelledFailure('by hand'))).rejects.toMatchObject({ code: 'cancelled' });
    await expect(outcome(new Error('terminated'))).rejects.toMatchObject({ code: 'upload_lost', retryable: false });
  });
});

test('waiting for a claim gives its place up after a turn', async () => {
  let asked = 0;
  const claim = async () => {
    asked++;
    return { outcome: 'busy', fileId: 'f', copyId: 'c', retryAfterMs: 60_000 };
  };
  const { awaitClaim } = createUploadActivities({ stepsFor: () => ({ claim }) } as unknown as UploadActivitiesDependencies);
  const input = { source: { kind: 'path', path: '/x' }, reference: { name: 'x' }, settings: {} } as UploadInput;
  const began = performance.now();
  await expect(quiet().run(awaitClaim, input, {} as FileContent)).rejects.toMatchObject({ type: 'StillWaiting' });
  expect(asked).toBeGreaterThan(2);
  expect(performance.now() - began).toBeLessThan(TURN_MS + 3_000);
}, 15_000);
