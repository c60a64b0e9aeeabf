import { type CutoverClient, connectClient } from '../client/cutover-client.ts';
import type { Config } from '../config/index.ts';
import { createFileManager } from '../manager/file-manager.ts';
import { connectStores } from '../manager/stores.ts';
import { createFacade, type Facade } from './facade.ts';
import type { FileService } from './file-service.ts';
import { createOpenFeatureProvider } from './openfeature.ts';
import { recordOutcomes } from './outcome-recorder.ts';
import { watchState } from './state-watcher.ts';
import { createUnified, knownTo } from './unified.ts';

export interface ConnectOptions {
  /** The application's old upload path. */
  legacy: FileService;
  /** A folder that the workers see under the same path: what is not a file already is laid there until it has arrived. */
  stagingFolder: string;
  /** Where a tool's files go; `supabase` unless said. */
  providerOf?: (tool: string) => string;
  /** What goes wrong beside the caller's path: the ledger is away, unified failed and legacy answered. */
  onTrouble?: (error: unknown) => void;
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
  const { legacy, stagingFolder, providerOf = () => 'supabase' } = options;
  const trouble = options.onTrouble === undefined ? {} : { onTrouble: options.onTrouble };
  const stores = connectStores(config);
  let client: Promise<CutoverClient & { close(): Promise<void> }> | undefined;
  const uploads = () => {
    client ??= connectClient(config).catch((error: unknown) => {
      // Temporal may be there for the next upload.
      client = undefined;
      throw error;
    });
    return client;
  };
  const manager = createFileManager({ ...stores, uploads, smartHandler: config.providers.smartHandler });
  const state = watchState({ ledger: stores.rollouts, defaults: config.migration, ...trouble });
  const outcomes = recordOutcomes({ ledger: stores.rollouts, ...trouble });
  await state.ready();
  const facade = createFacade({
    legacy,
    unified: createUnified({ manager, ledger: stores.ledger, providerOf, stagingFolder }),
    state,
    outcomes,
    fallback: config.migration.fallbackToLegacy,
    maxFileBytes: config.files.maxFileBytes,
    knows: (id) => knownTo(stores.ledger, id),
    ...trouble,
  });
  return {
    facade,
    openFeature: () => createOpenFeatureProvider(state),
    async close() {
      state.close();
      await outcomes.close();
      await client?.then(
        (connected) => connected.close(),
        () => undefined,
      );
    },
  };
}
