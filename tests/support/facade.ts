import { join } from 'node:path';
import { patienceOf, stagingStore } from '../../src/facade/connect.ts';
import { createFacade, type Facade, type FacadeOptions } from '../../src/facade/facade.ts';
import { createLegacySupabase } from '../../src/facade/legacy-supabase.ts';
import { recordOutcomes } from '../../src/facade/outcome-recorder.ts';
import { createShadower } from '../../src/facade/shadower.ts';
import { folderStaging, storageStaging } from '../../src/facade/staging.ts';
import { watchState } from '../../src/facade/state-watcher.ts';
import { createUnified, knownTo } from '../../src/facade/unified.ts';
import { createFileManager } from '../../src/manager/file-manager.ts';
import type { Running } from './running.ts';
import { dropBucket, freshBucket, supabase, supabaseProvider } from './supabase-provider.ts';
import { LONG } from './timeouts.ts';

export interface RunningFacade {
  facade: Facade;
  /** Writes what was counted, and waits until it is in the ledger. */
  flush(): Promise<void>;
  /** What is in force as this process knows it. */
  share(tool: string): number;
  close(): Promise<void>;
}

/** The facade as an application has it: legacy straight to a bucket of its own, unified through the workers that run. */
export async function startFacade({ config, client, stores, folder }: Running, more: Partial<FacadeOptions> = {}): Promise<RunningFacade> {
  const bucket = freshBucket();
  await supabaseProvider({ bucket }).check(new AbortController().signal);
  const manager = createFileManager({ ...stores, uploads: async () => client, smartHandler: config.providers.smartHandler });
  const state = watchState({ ledger: stores.rollouts, defaults: config.migration, pollMs: 200 });
  await state.ready();
  const outcomes = recordOutcomes({ ledger: stores.rollouts, flushMs: 200 });
  const legacy = createLegacySupabase({ ...supabase(), bucket, timeouts: LONG, seenByWorkers: true });
  const providerOf = () => 'supabase';
  const facade = createFacade({
    legacy,
    unified: createUnified({
      ...{ manager, ledger: stores.ledger, providerOf, patience: patienceOf(config) },
      staging: folderStaging(join(folder, 'staging')),
    }),
    state,
    outcomes,
    fallback: config.migration.fallbackToLegacy,
    maxFileBytes: config.files.maxFileBytes,
    knows: (id, context) => knownTo(stores.ledger, id, context),
    afterwards: createShadower({
      ...{ legacy, state, shadow: stores.shadow, defaults: config.migration.shadow, providerOf },
      staging: storageStaging(stagingStore(config, stores)),
      start: (comparison) => client.startShadowComparison(comparison),
    }),
    ...more,
  });
  return {
    facade,
    flush: () => outcomes.flush(),
    share: (tool) => state.routing(tool).share,
    async close() {
      state.close();
      await outcomes.close();
      await dropBucket(bucket);
    },
  };
}
