import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LedgerError, ProviderUnavailableError } from '../../src/domain/errors.ts';
import type { ProviderState } from '../../src/ledger/ledger.ts';
import { getProviderStatus, listAvailableProviders } from '../../src/manager/provider-status.ts';
import { createStateReporter } from '../../src/manager/state-reporter.ts';
import { type GuardStatus, guarded } from '../../src/providers/guard.ts';
import { createRegistry } from '../../src/providers/registry.ts';
import { freshSeed, uploadOf } from '../support/bodies.ts';
import { createMemoryProvider } from '../support/memory-provider.ts';

const signal = new AbortController().signal;
const MINUTE = 60_000;
const NOW = Date.parse('2026-11-24T12:00:00Z');
const ago = (ms: number) => new Date(NOW - ms).toISOString();

const state = (over: Partial<ProviderState>): ProviderState => ({
  provider: 'memory',
  account: 'memory/test',
  reporter: 'host:1',
  circuit: 'closed',
  lastErrorCode: null,
  lastError: null,
  lastErrorAt: null,
  updatedAt: ago(MINUTE),
  ...over,
});

function stores(states: ProviderState[]) {
  const memory = Object.assign(createMemoryProvider(), {
    capabilities: { ...createMemoryProvider().capabilities, quota: { files: 10, bytes: null } },
  });
  const other = createMemoryProvider({ name: 'other', account: 'other/test' });
  const registry = createRegistry([memory, other].map((provider) => guarded(provider, { failures: 5, openMs: 1000 })));
  const ledger = {
    usage: async () => [
      { purpose: 'a', files: 1, bytes: 2 },
      { purpose: 'b', files: 3, bytes: 4 },
    ],
    providerStates: async () => states,
  };
  return { memory, other, stores: { provider: registry.get, providers: registry, ledger } };
}
const of = async (states: ProviderState[]) =>
  await getProviderStatus('memory', stores(states).stores, { signal, ask: true, now: () => NOW });

describe('The status of a provider', () => {
  test('has the worst circuit that a process has reported lately, and the latest error of all', async () => {
    const status = await of([
      state({ reporter: 'host:1', circuit: 'closed', lastErrorCode: 'timeout', lastError: 'older', lastErrorAt: ago(3 * MINUTE) }),
      state({ reporter: 'host:2', circuit: 'open', lastErrorCode: 'unavailable', lastError: 'newer', lastErrorAt: ago(2 * MINUTE) }),
      state({ reporter: 'host:3', circuit: 'half_open' }),
    ]);
    expect(status).toMatchObject({ circuit: 'open', lastError: { code: 'unavailable', message: 'newer', at: ago(2 * MINUTE) } });
  });

  test('does not believe the circuit of a process that has been silent for long; its error stays the last one', async () => {
    const error = { lastErrorCode: 'unavailable', lastError: 'long ago', lastErrorAt: ago(60 * MINUTE) };
    const status = await of([state({ circuit: 'open', updatedAt: ago(60 * MINUTE), ...error })]);
    expect(status).toMatchObject({ circuit: 'closed', lastError: { message: 'long ago' } });
  });

  test('is not that of another account of the same vendor', async () => {
    expect(await of([state({ account: 'memory/another', circuit: 'open', lastErrorAt: ago(1) })])).toMatchObject({
      circuit: 'closed',
      lastError: null,
    });
  });

  test('tells what the account holds of each limit, and what of it the ledger knows', async () => {
    const { memory, stores: all } = stores([]);
    await memory.upload(uploadOf(10, freshSeed()));
    const status = await getProviderStatus('memory', all, { signal, ask: true });
    expect(status).toMatchObject({
      available: true,
      quota: [{ kind: 'files', purpose: null, used: 1, limit: 10 }],
      ours: { files: 4, bytes: 6 },
    });
  });

  test('of one that is down says why, and does not keep the others from being told', async () => {
    const { memory, stores: all } = stores([]);
    memory.failNext('check', new ProviderUnavailableError('no route', { code: 'unreachable', retryable: true, provider: 'memory' }));
    expect(await listAvailableProviders(all, { signal, ask: true })).toMatchObject([
      { name: 'memory', available: false, trouble: { code: 'unreachable', message: 'no route' }, quota: null },
      { name: 'other', available: true, trouble: null, quota: [] },
    ]);
  });

  test('asks nobody when it is not to', async () => {
    const { memory, stores: all } = stores([]);
    memory.check = memory.list = () => {
      throw new Error('asked');
    };
    expect(await getProviderStatus('memory', all, { signal, ask: false })).toMatchObject({ available: null, trouble: null, quota: null });
  });
});

describe('What a process reports of a provider', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const status = (message: string): GuardStatus => ({
    circuit: 'closed',
    since: ago(0),
    lastError: { code: 'unavailable', message, at: ago(0) },
    surplus: 0,
  });

  test('is told at once, then at most each few seconds, and then the latest', async () => {
    const told: (string | null)[] = [];
    const ledger = { reportProviderState: async ({ lastError }: Omit<ProviderState, 'updatedAt'>) => void told.push(lastError) };
    const report = createStateReporter(ledger, { provider: 'memory', account: 'memory/test' });
    for (let at = 1; at <= 100; at += 1) report(status(`${at}`));
    expect(told).toEqual(['1']);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(told).toEqual(['1', '100']);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(told).toEqual(['1', '100']);
    report(status('later'));
    expect(told).toEqual(['1', '100', 'later']);
  });

  test('fails nobody when the ledger is away', async () => {
    const ledger = { reportProviderState: () => Promise.reject(new LedgerError('away', { code: 'ledger_unreachable' })) };
    const report = createStateReporter(ledger, { provider: 'memory', account: 'memory/test' });
    expect(() => report(status('x'))).not.toThrow();
    await vi.advanceTimersByTimeAsync(10_000);
  });
});
