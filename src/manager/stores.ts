import { ProviderUnavailableError } from '../domain/errors.ts';
import { describeUse } from '../domain/quota.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { MaintenanceLedger } from '../ledger/maintenance-ledger.ts';
import type { RolloutLedger } from '../ledger/rollout-ledger.ts';
import { createSupabaseLedger } from '../ledger/supabase-ledger.ts';
import { createSupabaseMaintenanceLedger } from '../ledger/supabase-maintenance-ledger.ts';
import { createSupabaseRolloutLedger } from '../ledger/supabase-rollout-ledger.ts';
import { type GuardedProvider, guarded } from '../providers/guard.ts';
import { createRegistry, type ProviderRegistry } from '../providers/registry.ts';
import { createStateReporter } from './state-reporter.ts';
import { makeVendors, type VendorConfig } from './vendors.ts';

export interface Stores {
  ledger: Ledger;
  rollouts: RolloutLedger;
  maintenance: MaintenanceLedger;
  /** Where the application keeps the files that it stored itself (LEGACY_BUCKET); null: not said. */
  legacyBucket: string | null;
  /** Throws ProviderNotFoundError. */
  provider: (name: string) => GuardedProvider;
  providers: Pick<ProviderRegistry<GuardedProvider>, 'all' | 'unconfigured'>;
}

export interface StoresOptions {
  /** What a person should hear of a provider: a quota that is nearly used up, an object too many that was deleted. */
  warn?: (message: string, details: Record<string, unknown>) => void;
  /** Whether circuits and last errors are told to the ledger: workers do, a command that ends at once does not. */
  reports?: boolean;
}

/** The configuration's ledger and providers, each behind its guard. Opens no connection yet. */
export function connectStores(
  config: VendorConfig & { legacy?: { bucket: string | null } },
  { warn = () => undefined, reports = false }: StoresOptions = {},
): Stores {
  const { supabase, files, operations, providers } = config;
  const { url, secretKey } = supabase;
  if (url === null || secretKey === null)
    throw new ProviderUnavailableError(
      'No Supabase is known: run `npx cutover up` in this folder, or set SUPABASE_URL and SUPABASE_SECRET_KEY',
      { code: 'supabase_unknown', provider: 'supabase' },
    );
  const dataApi = { url, secretKey, timeoutMs: operations.toolMs };
  const ledger = createSupabaseLedger(dataApi);
  const guards = new Map<string, GuardedProvider>();
  const common = {
    timeouts: { callMs: operations.toolMs, idleMs: files.idleTimeoutMs, minBytesPerSecond: files.minBytesPerSecond },
    maxRetryAttempts: operations.maxRetryAttempts,
  };
  const made = makeVendors(config, (name) => ({
    ...common,
    onSurplus(id) {
      guards.get(name)?.countSurplus();
      warn('an object too many was deleted', { provider: name, id });
    },
  }));
  for (const provider of made.providers) {
    const { name, account } = provider;
    const guard = guarded(provider, {
      ...providers.breaker,
      onNearlyFull: (use) => warn(`the account at ${name} is nearly full: ${describeUse(use)}`, { provider: name, ...use }),
      ...(reports ? { onChange: createStateReporter(ledger, { provider: name, account }) } : {}),
    });
    guards.set(name, guard);
  }
  const registry = createRegistry([...guards.values()], made.unconfigured);
  const rollouts = createSupabaseRolloutLedger(dataApi);
  const maintenance = createSupabaseMaintenanceLedger(dataApi);
  const legacyBucket = config.legacy?.bucket ?? null;
  return { ledger, rollouts, maintenance, legacyBucket, provider: registry.get, providers: registry };
}
