import { describe, expect, it } from 'vitest';
import { followMigration } from '../../src/client/follow.ts';
import { ProviderUnavailableError } from '../../src/domain/errors.ts';
import { type MigrationState, startMigration } from '../../src/domain/migration.ts';

const COPYING: MigrationState = { ...startMigration(0), phase: 'copying' };
const DONE: MigrationState = { ...COPYING, phase: 'done' };
const away = () => new ProviderUnavailableError('away', { code: 'temporal_unreachable', provider: 'temporal', retryable: true });
const never = () => new Promise<never>(() => undefined);

/** A clock that runs a hundred times as fast as the real one. */
function follow(
  client: { migrationResult(): Promise<MigrationState>; migrationStatus(): Promise<MigrationState> },
  signal = new AbortController().signal,
) {
  const begun = performance.now();
  const shown: MigrationState['phase'][] = [];
  const messages: string[] = [];
  const progress = { show: (state: MigrationState) => void shown.push(state.phase), expect: () => undefined, end: () => undefined };
  const now = () => (performance.now() - begun) * 100;
  return { shown, messages, ended: followMigration(client, 'm', { progress, signal, now, message: (line) => messages.push(line) }) };
}

describe('following a migration', () => {
  it('shows it while it runs and as it ended', async () => {
    const { promise, resolve } = Promise.withResolvers<MigrationState>();
    const { shown, ended } = follow({ migrationResult: () => promise, migrationStatus: async () => COPYING });
    setTimeout(resolve, 1200, DONE);
    expect(await ended).toEqual(DONE);
    expect(shown.at(-1)).toBe('done');
    expect(shown).toContain('copying');
  });

  it('says once that no worker answers, and waits for one', async () => {
    const { promise, resolve } = Promise.withResolvers<MigrationState>();
    const { messages, ended } = follow({ migrationResult: () => promise, migrationStatus: never });
    setTimeout(resolve, 1600, DONE);
    expect(await ended).toEqual(DONE);
    expect(messages).toEqual([expect.stringContaining('cutover worker')]);
  });

  it('outlasts a restart of Temporal', async () => {
    let asked = 0;
    const { messages, ended } = follow({
      migrationResult: async () => {
        asked += 1;
        if (asked === 1) throw away();
        return DONE;
      },
      migrationStatus: never,
    });
    expect(await ended).toEqual(DONE);
    expect(messages).toContainEqual(expect.stringContaining('trying again'));
  });

  it('gives up when Temporal stays away for a minute', async () => {
    const { ended } = follow({
      migrationResult: async () => {
        throw away();
      },
      migrationStatus: never,
    });
    await expect(ended).rejects.toThrow('away');
  });

  it('ends at once, and without an outcome, when the signal comes', async () => {
    const stop = new AbortController();
    const { ended } = follow({ migrationResult: never, migrationStatus: never }, stop.signal);
    const before = performance.now();
    stop.abort();
    expect(await ended).toBeNull();
    expect(performance.now() - before).toBeLessThan(400);
  });
});
