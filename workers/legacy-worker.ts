import type { NativeConnection, Worker } from '@temporalio/worker';
import { createLegacyActivities, type LegacyActivitiesDependencies } from '../activities/legacy.ts';
import { connectionOptions } from '../src/client/connect.ts';
import type { Config } from '../src/config/index.ts';
import type { FileService } from '../src/facade/file-service.ts';
import { connectStores } from '../src/manager/stores.ts';
import { createLogger } from '../src/observability/logger.ts';
import { legacyQueue } from '../workflows/contract.ts';

/** Serves what durable workflows ask of the old upload path: activities alone, no workflow. */
export async function createLegacyWorker(
  connection: NativeConnection,
  { temporal, worker }: Pick<Config, 'temporal' | 'worker'>,
  dependencies: LegacyActivitiesDependencies,
): Promise<Worker> {
  const { Worker } = await import('@temporalio/worker');
  return await Worker.create({
    connection,
    namespace: temporal.namespace,
    taskQueue: legacyQueue(temporal.taskQueue),
    activities: createLegacyActivities(dependencies),
    shutdownGraceTime: worker.shutdownGraceMs,
    maxConcurrentActivityTaskExecutions: worker.maxConcurrentActivities,
    maxConcurrentActivityTaskPolls: 2,
    // FACTS: what an attempt has stored is known to the next one.
    maxHeartbeatThrottleInterval: '1 second',
    defaultHeartbeatThrottleInterval: '1 second',
  });
}

export interface ServedLegacy {
  /** Takes no more work, and lets what is under way finish within the grace. */
  close(): Promise<void>;
  /** Rejects when it broke. */
  ended: Promise<void>;
}

/**
 * For an application whose old upload path is its own TypeScript: repairs and re-homing reach it through this process. The stock
 * worker does the same where LEGACY_URL or LEGACY_BUCKET is set.
 */
export async function serveLegacy(config: Config, legacy: FileService): Promise<ServedLegacy> {
  // The SDK's native part is not for every program that imports the library.
  const [{ NativeConnection, Runtime }, { installRuntime }] = await Promise.all([import('@temporalio/worker'), import('./runtime.ts')]);
  if (Runtime._instance === undefined) installRuntime(createLogger('legacy', config.log.level));
  const connection = await NativeConnection.connect(await connectionOptions(config.temporal));
  const { ledger, mirrors, provider } = connectStores(config);
  const worker = await createLegacyWorker(connection, config, { legacy, ledger, mirrors, provider });
  const ended = worker.run().finally(() => connection.close());
  ended.catch(() => undefined);
  return {
    ended,
    async close() {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await ended;
    },
  };
}
