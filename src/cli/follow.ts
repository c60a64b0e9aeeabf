import { setTimeout as sleep } from 'node:timers/promises';
import type { CutoverClient } from '../client/cutover-client.ts';
import { ProviderUnavailableError } from '../domain/errors.ts';
import type { MigrationState } from '../domain/migration.ts';
import type { Progress } from './progress.ts';

export const POLL_MS = 500;
/** A worker that is busy or being restarted answers within this. */
const SILENCE_MS = 10_000;
/** How long Temporal may be away (a restart takes seconds) before we say so and go. The workflow is not touched by that. */
const PATIENCE_MS = 60_000;

export interface FollowOptions {
  progress: Progress;
  signal: AbortSignal;
  now: () => number;
  message: (line: string) => void;
}

/**
 * Shows a migration until it ends. Null when the signal came first: it goes on without us.
 * @throws ProviderUnavailableError when Temporal is away for a minute; FileManagementError when the workflow failed.
 */
export async function followMigration(
  client: Pick<CutoverClient, 'migrationResult' | 'migrationStatus'>,
  id: string,
  { progress, signal, now, message }: FollowOptions,
): Promise<MigrationState | null> {
  const result = patiently(() => client.migrationResult(id), { now, message, signal });
  result.catch(() => undefined);
  let asking = false;
  let over = false;
  let answeredAt: number | null = now();
  const ask = async (): Promise<void> => {
    asking = true;
    const state = await client.migrationStatus(id).catch(() => null);
    asking = false;
    if (state === null || over) return;
    answeredAt = now();
    progress.show(state);
  };
  try {
    for (;;) {
      const ended = await Promise.race([result, sleep(POLL_MS, null, { signal }).catch(() => null)]);
      if (ended !== null) {
        over = true;
        progress.show(ended);
        return ended;
      }
      if (signal.aborted) return null;
      if (!asking) void ask();
      if (answeredAt !== null && now() - answeredAt > SILENCE_MS) {
        answeredAt = null;
        message(
          'No answer for ten seconds. The migration is safe in Temporal and waits: if nothing runs, `npx cutover up`; if only a worker is missing, `npx cutover worker`.',
        );
      }
    }
  } finally {
    over = true;
    progress.end();
  }
}

async function patiently<T>(ask: () => Promise<T>, { now, message, signal }: Omit<FollowOptions, 'progress'>): Promise<T> {
  let awaySince: number | null = null;
  for (;;) {
    const askedAt = now();
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof ProviderUnavailableError && error.code === 'temporal_unreachable') || signal.aborted) throw error;
      if (awaySince === null || now() - askedAt > PATIENCE_MS / 2) {
        awaySince = now();
        message('Temporal does not answer; trying again for a minute. The migration is safe there.');
      } else if (now() - awaySince > PATIENCE_MS) throw error;
      await sleep(1000);
    }
  }
}
