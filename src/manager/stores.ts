import type { Config } from '../config/index.ts';
import { ProviderUnavailableError } from '../domain/errors.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { RolloutLedger } from '../ledger/rollout-ledger.ts';
import { createSupabaseLedger } from '../ledger/supabase-ledger.ts';
import { createSupabaseRolloutLedger } from '../ledger/supabase-rollout-ledger.ts';
import type { Provider } from '../providers/provider.ts';
import { createRegistry } from '../providers/registry.ts';
import { createSupabaseStorage } from '../providers/supabase-storage.ts';

export interface Stores {
  ledger: Ledger;
  rollouts: RolloutLedger;
  /** Throws ProviderNotFoundError. */
  provider: (name: string) => Provider;
}

/** The configuration's ledger and providers. Opens no connection yet. */
export function connectStores({ supabase, files, operations }: Pick<Config, 'supabase' | 'files' | 'operations'>): Stores {
  const { url, secretKey, bucket } = supabase;
  if (url === null || secretKey === null)
    throw new ProviderUnavailableError(
      'No Supabase is known: run `npx cutover up` in this folder, or set SUPABASE_URL and SUPABASE_SECRET_KEY',
      {
        code: 'supabase_unknown',
        provider: 'supabase',
      },
    );
  const storage = createSupabaseStorage({
    url,
    secretKey,
    bucket,
    maxFileBytes: files.maxFileBytes,
    timeouts: { callMs: operations.toolMs, idleMs: files.idleTimeoutMs, minBytesPerSecond: files.minBytesPerSecond },
    maxRetryAttempts: operations.maxRetryAttempts,
    tusThresholdBytes: files.tusThresholdBytes,
    // Its port may change from start to start; the copies are the same ones.
    ...(supabase.embedded ? { account: `embedded/${bucket}` } : {}),
  });
  const registry = createRegistry([storage]);
  const dataApi = { url, secretKey, timeoutMs: operations.toolMs };
  return { ledger: createSupabaseLedger(dataApi), rollouts: createSupabaseRolloutLedger(dataApi), provider: registry.get };
}
