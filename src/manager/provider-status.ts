import type { Capabilities } from '../domain/capabilities.ts';
import { FileManagementError, messageOf } from '../domain/errors.ts';
import { hasQuota, type QuotaUse, quotaUses } from '../domain/quota.ts';
import type { Ledger, ProviderState } from '../ledger/ledger.ts';
import type { GuardedProvider } from '../providers/guard.ts';
import type { Circuit } from '../providers/guard-circuit.ts';
import type { Stores } from './stores.ts';

/** How a provider looks: from here, and from the processes that have reported lately. */
export interface ProviderStatus {
  name: string;
  account: string;
  /** Null: it was not asked. */
  available: boolean | null;
  /** Why it is not. */
  trouble: { code: string; message: string } | null;
  /** The worst that was reported by a process of the last minutes. */
  circuit: Circuit;
  /** Of the last day. */
  lastError: { code: string; message: string; at: string } | null;
  /** Every documented limit of the account; null where it could not be counted, empty where none is documented. */
  quota: QuotaUse[] | null;
  /** What the ledger knows there. */
  ours: { files: number; bytes: number };
  capabilities: Capabilities;
}

/** A circuit of a process that has said nothing for so long is no news any more: it has ended, or has had no trouble. */
const FRESH_MS = 10 * 60_000;
const WORST: readonly Circuit[] = ['closed', 'half_open', 'open'];

export interface StatusOptions {
  signal: AbortSignal;
  /** Whether each provider is asked: its check, and a count of its account where a limit is documented. */
  ask: boolean;
  now?: () => number;
}

type Dependencies = Pick<Stores, 'provider' | 'providers'> & { ledger: Pick<Ledger, 'usage' | 'providerStates'> };

/** @throws ProviderNotFoundError */
export async function getProviderStatus(name: string, stores: Dependencies, options: StatusOptions): Promise<ProviderStatus> {
  return await statusOf(stores.provider(name), await stores.ledger.providerStates(), stores.ledger, options);
}

/** Of all that are configured. One that is down does not keep the others from being told. */
export async function listAvailableProviders(stores: Dependencies, options: StatusOptions): Promise<ProviderStatus[]> {
  const states = await stores.ledger.providerStates();
  return await Promise.all(stores.providers.all().map((provider) => statusOf(provider, states, stores.ledger, options)));
}

async function statusOf(
  provider: GuardedProvider,
  states: readonly ProviderState[],
  ledger: Pick<Ledger, 'usage'>,
  { signal, ask, now = Date.now }: StatusOptions,
): Promise<ProviderStatus> {
  const { name, account, capabilities } = provider;
  const reports = states.filter((state) => state.provider === name && state.account === account);
  const fresh = reports.filter(({ updatedAt }) => now() - Date.parse(updatedAt) < FRESH_MS);
  const usage = await ledger.usage(name, account);
  const trouble = ask ? await troubleOf(provider, signal) : null;
  return {
    name,
    account,
    available: ask ? trouble === null : null,
    trouble,
    circuit: fresh.reduce<Circuit>((worst, { circuit }) => (WORST.indexOf(circuit) > WORST.indexOf(worst) ? circuit : worst), 'closed'),
    lastError: latestError(reports),
    quota: await quotaOf(provider, ask && trouble === null, signal),
    ours: usage.reduce((sum, { files, bytes }) => ({ files: sum.files + files, bytes: sum.bytes + bytes }), { files: 0, bytes: 0 }),
    capabilities,
  };
}

async function troubleOf(provider: GuardedProvider, signal: AbortSignal): Promise<ProviderStatus['trouble']> {
  try {
    await provider.check(signal);
    return null;
  } catch (error) {
    signal.throwIfAborted();
    return { code: error instanceof FileManagementError ? error.code : 'unknown', message: messageOf(error) };
  }
}

async function quotaOf(provider: GuardedProvider, counts: boolean, signal: AbortSignal): Promise<QuotaUse[] | null> {
  if (!hasQuota(provider.capabilities)) return [];
  if (!counts) return null;
  try {
    const held = await provider.held(signal);
    return held === null ? [] : quotaUses(provider.capabilities, held);
  } catch {
    signal.throwIfAborted();
    return null;
  }
}

function latestError(reports: readonly ProviderState[]): ProviderStatus['lastError'] {
  const [latest] = reports
    .filter((state) => state.lastErrorAt !== null)
    .sort((a, b) => Date.parse(b.lastErrorAt ?? '') - Date.parse(a.lastErrorAt ?? ''));
  if (latest?.lastErrorAt == null) return null;
  return { code: latest.lastErrorCode ?? 'unknown', message: latest.lastError ?? '', at: latest.lastErrorAt };
}
