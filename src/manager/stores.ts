import { ProviderUnavailableError } from '../domain/errors.ts';
import { describeUse, type QuotaUse } from '../domain/quota.ts';
import type { ModelKind } from '../domain/time-limits.ts';
import type { Tracing } from '../domain/tracing.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { MaintenanceLedger } from '../ledger/maintenance-ledger.ts';
import type { MirrorLedger } from '../ledger/mirror-ledger.ts';
import type { RetentionLedger } from '../ledger/retention-ledger.ts';
import type { RolloutLedger } from '../ledger/rollout-ledger.ts';
import type { ShadowLedger } from '../ledger/shadow-ledger.ts';
import { createSupabaseLedger } from '../ledger/supabase-ledger.ts';
import { createSupabaseMaintenanceLedger } from '../ledger/supabase-maintenance-ledger.ts';
import { createSupabaseMirrorLedger } from '../ledger/supabase-mirror-ledger.ts';
import { createSupabaseRetentionLedger } from '../ledger/supabase-retention-ledger.ts';
import { createSupabaseRolloutLedger } from '../ledger/supabase-rollout-ledger.ts';
import { createSupabaseShadowLedger } from '../ledger/supabase-shadow-ledger.ts';
import { callTimeouts } from '../providers/call-timeouts.ts';
import { type GuardedProvider, guarded } from '../providers/guard.ts';
import type { Circuit } from '../providers/guard-circuit.ts';
import { createRegistry, type ProviderRegistry } from '../providers/registry.ts';
import { traced } from '../providers/traced.ts';
import { createProvidersFor, type ProvidersFor } from './providers-for.ts';
import { createStateReporter } from './state-reporter.ts';
import { makeVendors, type VendorConfig } from './vendors.ts';

export interface Stores {
  ledger: Ledger;
  rollouts: RolloutLedger;
  shadow: ShadowLedger;
  mirrors: MirrorLedger;
  retention: RetentionLedger;
  maintenance: MaintenanceLedger;
  /** Where the application keeps the files that it stored itself (LEGACY_BUCKET); null: not said. */
  legacyBucket: string | null;
  /** Throws ProviderNotFoundError. */
  provider: (name: string) => GuardedProvider;
  /** As `provider`, for a caller who says what kind of model the file is for. */
  providerFor: ProvidersFor;
  providers: Pick<ProviderRegistry<GuardedProvider>, 'all' | 'unconfigured'>;
}

/** Who is told how providers are. Its functions return at once and throw nothing. */
export interface ProviderObserver {
  /** Told of each change, and of others in between. */
  circuit(provider: string, state: Circuit): void;
  quota(provider: string, uses: readonly QuotaUse[]): void;
}

export interface StoresOptions {
  /** What a person should hear of a provider: a quota that is nearly used up, an object too many that was deleted. */
  warn?: (message: string, details: Record<string, unknown>) => void;
  /** Whether circuits and last errors are told to the ledger: workers do, a command that ends at once does not. */
  reports?: boolean;
  observer?: ProviderObserver;
  /** Each call of a provider is a span of the trace that it is made in. */
  tracing?: Tracing;
}

/** The configuration's ledger and providers, each behind its guard. Opens no connection yet. */
export function connectStores(
  config: VendorConfig & { legacy?: { bucket: string | null } },
  { warn = () => undefined, reports = false, observer, tracing }: StoresOptions = {},
): Stores {
  const { supabase, operations, providers } = config;
  const { url, secretKey } = supabase;
  if (url === null || secretKey === null)
    throw new ProviderUnavailableError(
      'No Supabase is known: run `npx cutover up` in this folder, or set SUPABASE_URL and SUPABASE_SECRET_KEY',
      { code: 'supabase_unknown', provider: 'supabase' },
    );
  const dataApi = { url, secretKey, timeoutMs: operations.toolMs };
  const ledger = createSupabaseLedger(dataApi);
  const guards = new Map<string, GuardedProvider>();
  function vendorsFor(model: ModelKind) {
    const timeouts = callTimeouts(config, model);
    const { providers: plain, unconfigured } = makeVendors(config, (name) => ({
      timeouts,
      maxRetryAttempts: operations.maxRetryAttempts,
      onSurplus(id) {
        guards.get(name)?.countSurplus();
        warn('an object too many was deleted', { provider: name, id });
      },
    }));
    return { providers: tracing === undefined ? plain : plain.map((provider) => traced(provider, tracing)), unconfigured };
  }
  const made = vendorsFor('standard');
  for (const provider of made.providers) {
    const { name, account } = provider;
    const report = reports ? createStateReporter(ledger, { provider: name, account }) : undefined;
    const guard = guarded(provider, {
      ...providers.breaker,
      onNearlyFull: (use) => warn(`the account at ${name} is nearly full: ${describeUse(use)}`, { provider: name, ...use }),
      onCounted: (uses) => observer?.quota(name, uses),
      onChange(status) {
        report?.(status);
        observer?.circuit(name, status.circuit);
      },
    });
    guards.set(name, guard);
  }
  const registry = createRegistry([...guards.values()], made.unconfigured);
  return {
    ledger,
    rollouts: createSupabaseRolloutLedger(dataApi),
    shadow: createSupabaseShadowLedger(dataApi),
    mirrors: createSupabaseMirrorLedger(dataApi),
    retention: createSupabaseRetentionLedger(dataApi),
    maintenance: createSupabaseMaintenanceLedger(dataApi),
    legacyBucket: config.legacy?.bucket ?? null,
    provider: registry.get,
    providerFor: createProvidersFor({ provider: registry.get, make: (model) => vendorsFor(model).providers }),
    providers: registry,
  };
}
