import { setTimeout as sleep } from 'node:timers/promises';
import { ProviderUnavailableError } from '../domain/errors.ts';
import type { MigrationState } from '../domain/migration.ts';
import type { CutoverClient } from './cutover-client.ts';

export const POLL_MS = 500;
/** A worker that is busy or being restarted answers within this. */
const SILENCE_MS = 10_000;
/** How long Temporal may be away (a restart takes seconds) before we say so and go. The workflow is not touched by that. */
const PATIENCE_MS = 60_000;

export interface FollowOptions<S> {
  progress: { show(state: S): void; end(): void };
  signal: AbortSignal;
  now: () => number;
  message: (line: string) => void;
}

/** What can be followed: how it ends and how far it is, and what people call it. */
export interface Followed<S> {
  result(): Promise<S>;
  status(): Promise<S>;
  what: string;
}

export const followMigration = (
  client: Pick<CutoverClient, 'migrationResult' | 'migrationStatus'>,
  id: string,
  options: FollowOptions<MigrationState>,
): Promise<MigrationState | null> =>
  follow({ what: 'migration', result: () => client.migrationResult(id), status: () => client.migrationStatus(id) }, options);

/**
 * Shows a durable run until it ends. Null when the signal came first: it goes on without us.
 * @throws ProviderUnavailableError when Temporal is away for a minute; FileManagementError when the workflow failed.
 */
export async function follow<S>(run: Followed<S>, { progress, signal, now, message }: FollowOptions<S>): Promise<S | null> {
  const { what } = run;
  const result = patiently(run.result, { what, now, message, signal });
  result.catch(() => undefined);
  let asking = false;
  let over = false;
  let answeredAt: number | null = now();
  const ask = async (): Promise<void> => {
    asking = true;
    const state = await run.status().catch(() => null);
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
          `No answer for ten seconds. The ${what} is safe in Temporal and waits: if nothing runs, \`npx cutover up\`; if only a worker is missing, \`npx cutover worker\`.`,
        );
      }
    }
  } finally {
    over = true;
    progress.end();
  }
}

async function patiently<T>(
  ask: () => Promise<T>,
  { what, now, message, signal }: Omit<FollowOptions<T>, 'progress'> & { what: string },
): Promise<T> {
  let awaySince: number | null = null;
  for (;;) {
    const askedAt = now();
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof ProviderUnavailableError && error.code === 'temporal_unreachable') || signal.aborted) throw error;
      if (awaySince === null || now() - askedAt > PATIENCE_MS / 2) {
        awaySince = now();
        message(`Temporal does not answer; trying again for a minute. The ${what} is safe there.`);
      } else if (now() - awaySince > PATIENCE_MS) throw error;
      await sleep(1000);
    }
  }
}
