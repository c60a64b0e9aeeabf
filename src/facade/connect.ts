import type { Logger } from 'pino';
import { type CutoverClient, connectClient } from '../client/cutover-client.ts';
import type { Config } from '../config/index.ts';
import type { Tracing } from '../domain/tracing.ts';
import { createFileManager } from '../manager/file-manager.ts';
import { connectStores, type ProviderObserver } from '../manager/stores.ts';
import { createFacade, type Facade, type Operation } from './facade.ts';
import type { FileService } from './file-service.ts';
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
  deleted(provider: string, reason: 'requested'): void;
}

export interface ConnectedFacade {
  facade: Facade;
  /** Writes what was counted and lets the connections go. */
  close(): Promise<void>;
}

/** The facade over the configuration's ledger, providers and Temporal, which is connected when the first upload needs it. */
export async function connectFacade(config: Config, options: ConnectOptions): Promise<ConnectedFacade> {
  const { legacy, stagingFolder, providerOf = () => 'supabase', observer, log, tracing } = options;
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
  const manager = createFileManager({
    ...stores,
    uploads,
    smartHandler: config.providers.smartHandler,
    onDeleted: (provider) => observer?.deleted(provider, 'requested'),
    ...(log === undefined ? {} : { log }),
  });
  const state = watchState({ ledger: stores.rollouts, defaults: config.migration, ...trouble });
  const outcomes = recordOutcomes({ ledger: stores.rollouts, onDropped: () => observer?.outcomesDropped(), ...trouble });
  await state.ready();
  const facade = createFacade({
    legacy,
    unified: createUnified({ manager, ledger: stores.ledger, providerOf, stagingFolder }),
    state,
    outcomes,
    fallback: config.migration.fallbackToLegacy,
    maxFileBytes: config.files.maxFileBytes,
    knows: (id) => knownTo(stores.ledger, id),
    onOperation: (operation) => observer?.operation(operation),
    ...(tracing === undefined ? {} : { tracing }),
    ...trouble,
  });
  return {
    facade,
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
