import type { Logger } from 'pino';
import { type CutoverClient, connectClient } from '../client/cutover-client.ts';
import type { Config } from '../config/index.ts';
import { timeLimitsFor } from '../domain/time-limits.ts';
import type { Tracing } from '../domain/tracing.ts';
import { createFileManager } from '../manager/file-manager.ts';
import { connectStores, type ProviderObserver, type Stores } from '../manager/stores.ts';
import { callTimeouts } from '../providers/call-timeouts.ts';
import { createStagingStore, type StagingStore } from '../providers/supabase-staging.ts';
import { createCounterparts } from './counterparts.ts';
import { createFacade, type Facade, type Operation } from './facade.ts';
import type { FileService } from './file-service.ts';
import { createFollowers } from './followers.ts';
import { createMirrorer } from './mirrorer.ts';
import { createOpenFeatureProvider } from './openfeature.ts';
import { recordOutcomes } from './outcome-recorder.ts';
import { createShadower, type SampleOutcome } from './shadower.ts';
import { folderStaging, storageStaging } from './staging.ts';
import { watchState } from './state-watcher.ts';
import { createUnified, knownTo, type UnifiedOptions } from './unified.ts';

export interface ConnectOptions {
  /** The application's old upload path. */
  legacy: FileService;
  /**
   * A folder that the workers see under the same path, as they see the files whose paths are uploaded. Absent: they see neither, and
   * all bytes reach them by way of Supabase Storage.
   */
  stagingFolder?: string | undefined;
  /** Where streams that can be read once are kept meanwhile; the system's folder for temporary files unless said. */
  spoolFolder?: string | undefined;
  /** Where a tool's files go; `supabase` unless said. */
  providerOf?: (tool: string) => string;
  /** What goes wrong beside the caller's path: the ledger is away, unified failed and legacy answered. */
  onTrouble?: (error: unknown) => void;
  /** Who counts: the metrics of `src/observability`. */
  observer?: FacadeObserver;
  /** Each operation of the new path logs by a child of it that carries the operation's id. */
  log?: Logger;
  /** Each operation is a span, or begins a trace: see `connectTracing`. */
  tracing?: Tracing;
}

export interface FacadeObserver extends ProviderObserver {
  operation(operation: Operation): void;
  outcomesDropped(): void;
  sampled(tool: string, outcome: SampleOutcome): void;
  deleted(provider: string, reason: 'requested'): void;
}

export interface ConnectedFacade {
  facade: Facade;
  /** The same decisions as flags: `await OpenFeature.setProviderAndWait(connected.openFeature())`. */
  openFeature(): ReturnType<typeof createOpenFeatureProvider>;
  /** Writes what was counted and lets the connections go. */
  close(): Promise<void>;
}

/** The facade over the configuration's ledger, providers and Temporal, which is connected when the first upload needs it. */
export async function connectFacade(config: Config, options: ConnectOptions): Promise<ConnectedFacade> {
  const { legacy, stagingFolder, providerOf = () => 'supabase', observer, log, tracing } = options;
  const { files, migration } = config;
  const trouble = options.onTrouble === undefined ? {} : { onTrouble: options.onTrouble };
  const stores = connectStores(config, { ...(observer === undefined ? {} : { observer }), ...(tracing === undefined ? {} : { tracing }) });
  let client: Promise<CutoverClient & { close(): Promise<void> }> | undefined;
  const uploads = () => {
    client ??= connectClient(config, tracing).catch((error: unknown) => {
      // Temporal may be there for the next upload.
      client = undefined;
      throw error;
    });
    return client;
  };
  const staging = stagingStore(config, stores);
  const storage = storageStaging(staging);
  const manager = createFileManager({
    ...stores,
    uploads,
    smartHandler: config.providers.smartHandler,
    onDeleted: (provider) => observer?.deleted(provider, 'requested'),
    ...(log === undefined ? {} : { log }),
  });
  const state = watchState({ ledger: stores.rollouts, defaults: migration, ...trouble });
  const outcomes = recordOutcomes({ ledger: stores.rollouts, onDropped: () => observer?.outcomesDropped(), ...trouble });
  const mirrorer = createMirrorer({
    ...{ client: uploads, mirrors: stores.mirrors, legacy, staging, providerOf, outcomes, ...trouble },
  });
  const shadower = createShadower({
    ...{ legacy, state, shadow: stores.shadow, defaults: migration.shadow, staging: storage, providerOf },
    start: async (comparison) => (await uploads()).startShadowComparison(comparison),
    onSampled: (tool, outcome) => observer?.sampled(tool, outcome),
  });
  const followers = createFollowers(shadower, mirrorer.afterwards);
  await state.ready();
  const facade = createFacade({
    legacy,
    unified: createUnified({
      ...{ manager, ledger: stores.ledger, providerOf, patience: patienceOf(config) },
      staging: stagingFolder === undefined ? storage : folderStaging(stagingFolder),
    }),
    state,
    outcomes,
    fallback: migration.fallbackToLegacy,
    maxFileBytes: files.maxFileBytes,
    spoolFolder: options.spoolFolder,
    knows: (id, context) => knownTo(stores.ledger, id, context),
    counterparts: createCounterparts({ legacy, manager, mirrors: stores.mirrors, ledger: stores.ledger }),
    afterwards: followers.follow,
    onOperation: (operation) => observer?.operation(operation),
    ...(tracing === undefined ? {} : { tracing }),
    ...trouble,
  });
  return {
    facade,
    openFeature: () => createOpenFeatureProvider(state),
    async close() {
      state.close();
      await followers.settled(FOLLOW_MS);
      await mirrorer.close();
      await outcomes.close();
      await client?.then(
        (connected) => connected.close(),
        () => undefined,
      );
    },
  };
}

/** What still lays files there for workers may end, while it does not hold up a stop. */
const FOLLOW_MS = 5_000;

/** Temporal takes an upload in much less, or not at all. */
const START_MS = 5_000;

/** What a caller waits for a workflow, and the time that all bytes take at the slowest acceptable rate: once to be read, once to be sent. */
export function patienceOf({ operations, files }: Pick<Config, 'operations' | 'files'>): UnifiedOptions['patience'] {
  const bytesMs = (sizeBytes: number) => (2 * sizeBytes * 1000) / files.minBytesPerSecond;
  return {
    startMs: START_MS,
    doneMs: (sizeBytes, model = 'standard') => timeLimitsFor(operations, operations.multipliers, model).shimMs + bytesMs(sizeBytes),
  };
}

/** The storage beside the ledger. @throws ProviderUnavailableError where no Supabase is known, as `connectStores` does */
export function stagingStore(config: Config, { provider }: Pick<Stores, 'provider'>): StagingStore {
  const { supabase } = config;
  return createStagingStore({
    ...{ url: supabase.url ?? '', secretKey: supabase.secretKey ?? '', bucket: supabase.bucket },
    timeouts: callTimeouts(config),
    ensureBucket: (signal) => provider('supabase').check(signal),
  });
}
