import { join } from 'node:path';
import type { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import type { Logger } from 'pino';
import { createActivities } from '../activities/index.ts';
import { connectionOptions, connectTemporal } from '../src/client/connect.ts';
import { uploadsPerSecond } from '../src/client/settings.ts';
import type { Config } from '../src/config/index.ts';
import { messageOf } from '../src/domain/errors.ts';
import { NO_TRACING, type Tracing } from '../src/domain/tracing.ts';
import { configuredLegacy } from '../src/facade/configured-legacy.ts';
import { createHashCache } from '../src/manager/hash-cache.ts';
import { showAges } from '../src/manager/show-ages.ts';
import { showRollouts } from '../src/manager/show-rollouts.ts';
import { showSweeps } from '../src/manager/show-sweeps.ts';
import { connectStores } from '../src/manager/stores.ts';
import { observedSteps } from '../src/manager/upload-observer.ts';
import { createUploadSteps, type Surplus } from '../src/manager/upload-steps.ts';
import { createMetrics, type Metrics } from '../src/observability/metrics.ts';
import type { Health } from '../src/observability/metrics-server.ts';
import { openSource } from '../src/sources/open.ts';
import { ensureSearchAttributes } from '../src/stack/search-attributes.ts';
import { providerQueue, SEARCH_ATTRIBUTES } from '../workflows/contract.ts';
import { workflowBundle } from './bundle.ts';
import { createLegacyWorker } from './legacy-worker.ts';
import { loggedActivity } from './log-attributes.ts';
import { tracedActivity, traceSinks } from './traced-activity.ts';

export interface RunningWorker {
  /** Until it was told to stop and has stopped. */
  run(): Promise<void>;
  /** Takes no more tasks, and lets those under way finish within the grace. */
  shutdown(): void;
  /** Whether its workers run and Temporal answers. */
  health(): Promise<Health>;
  close(): Promise<void>;
}

/** Who counts, and who follows. */
export interface Watching {
  metrics: Metrics;
  tracing: Tracing;
}

/** Hashes to remember, some hundred bytes each. */
const HASHES = 10_000;

/**
 * Puts everything together: the configuration's providers and ledger behind the activities, the workflows' bundle, the connections.
 * Beside the worker of the task queue there is one for each provider's queue. A rate of it is shared by all workers; without one it
 * is served all the same, because uploads that were started while there was a rate still wait in it.
 */
export async function createWorker(config: Config, log: Logger, watching: Partial<Watching> = {}): Promise<RunningWorker> {
  const { metrics = createMetrics(config.metrics), tracing = NO_TRACING } = watching;
  const { ledger, rollouts, shadow, mirrors, retention, maintenance, provider, providerFor, providers } = connectStores(config, {
    reports: true,
    warn: (message, details) => log.warn(details, message),
    observer: metrics,
    tracing,
  });
  metrics.expectProviders(providers.all().map(({ name }) => name));
  showRollouts(metrics, rollouts, (message) => log.warn(message));
  showSweeps(metrics, retention, config.retention.intervalMs, (message) => log.warn(message));
  showAges(metrics, retention, providers.all(), (message) => log.warn(message));
  const client: Client = await connectTemporal(config.temporal);
  await registerSearchAttributes(client, config, log);
  const connection = await NativeConnection.connect(await connectionOptions(config.temporal));
  function onSurplus({ error, ...surplus }: Surplus): void {
    if (error === null) {
      provider(surplus.provider).countSurplus();
      metrics.deleted(surplus.provider, 'surplus');
    }
    log.warn(
      error === null ? surplus : { ...surplus, error: messageOf(error) },
      error === null ? 'an object too many was deleted' : 'an object too many is left: delete it at the provider',
    );
  }
  const hashes = createHashCache({ max: HASHES });
  const activities = createActivities({
    stepsFor: (model) =>
      observedSteps(createUploadSteps({ ledger, provider: providerFor(model), limits: config.files, hashes, onSurplus }), metrics),
    ...{ ledger, rollouts, shadow, mirrors, retention, maintenance, provider, providerFor, providers, client },
    source: (from) => openSource(from, provider),
    onRolloutDecided: metrics.rolloutDecided,
    onCompared: metrics.compared,
    onSwept: metrics.sweptPage,
  });
  const shared: Omit<WorkerOptions, 'taskQueue'> = {
    connection,
    namespace: config.temporal.namespace,
    activities,
    interceptors: { activity: [loggedActivity, tracedActivity(tracing)] },
    sinks: traceSinks(tracing),
    shutdownGraceTime: config.worker.shutdownGraceMs,
    maxConcurrentActivityTaskExecutions: config.worker.maxConcurrentActivities,
    // FACTS: details of a heartbeat stay fresh, and a signal does not wait for a worker that is gone.
    maxHeartbeatThrottleInterval: '1 second',
    defaultHeartbeatThrottleInterval: '1 second',
  };
  const main = await Worker.create({
    ...shared,
    taskQueue: config.temporal.taskQueue,
    workflowBundle: { codePath: await workflowBundle(join(config.stateDir, 'bundle')) },
    maxConcurrentLocalActivityExecutions: config.worker.maxConcurrentActivities,
    stickyQueueScheduleToStartTimeout: '2 seconds',
  });
  const ofProviders = await Promise.all(
    providers.all().map(({ name }) => {
      const rate = uploadsPerSecond(config.providers, name);
      const taskQueue = providerQueue(config.temporal.taskQueue, name);
      return Worker.create({
        ...shared,
        taskQueue,
        // Slow by intent, or idle: there is one for each provider, and a poll is an open call.
        maxConcurrentActivityTaskPolls: 2,
        ...(rate === null ? {} : { maxTaskQueueActivitiesPerSecond: rate }),
      });
    }),
  );
  const legacy = configuredLegacy(config);
  const ofLegacy = legacy === null ? [] : [await createLegacyWorker(connection, config, { legacy, ledger, mirrors, provider })];
  const workers = [main, ...ofProviders, ...ofLegacy];
  const shutdown = () => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  return {
    async run() {
      // One that breaks takes the others with it: half a worker would leave uploads waiting without a word.
      const running = workers.map((worker) =>
        worker.run().catch((error: unknown) => {
          shutdown();
          throw error;
        }),
      );
      await Promise.allSettled(running);
      await Promise.all(running);
    },
    shutdown,
    async health() {
      const stopped = workers.find((worker) => worker.getState() !== 'RUNNING');
      const temporal = await temporalHealth(client);
      const worker = stopped === undefined ? 'ok' : stopped.getState().toLowerCase();
      return { ok: worker === 'ok' && temporal === 'ok', parts: { worker, temporal } };
    },
    async close() {
      await connection.close();
      await client.connection.close();
    },
  };
}

const HEALTH_MS = 2_000;

async function temporalHealth({ connection }: Client): Promise<string> {
  try {
    await connection.withDeadline(Date.now() + HEALTH_MS, () => connection.workflowService.getSystemInfo({}));
    return 'ok';
  } catch (error) {
    return messageOf(error);
  }
}

/** Temporal Cloud leaves search attributes to its own tools: there a person is told which ones are needed. */
async function registerSearchAttributes(client: Client, { temporal: { namespace } }: Config, log: Logger): Promise<void> {
  try {
    await ensureSearchAttributes(client.connection as Connection, namespace, SEARCH_ATTRIBUTES);
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code !== GrpcStatus.PERMISSION_DENIED && code !== GrpcStatus.UNIMPLEMENTED) throw error;
    const wanted = Object.entries(SEARCH_ATTRIBUTES).map(([name, type]) => `${name} (${type})`);
    log.warn(
      `search attributes cannot be registered from here; workflows need these in the namespace ${namespace}: ${wanted.join(', ')}. ` +
        'On Temporal Cloud: `tcld namespace search-attributes add`, or the Cloud UI',
    );
  }
}

/** https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
const GrpcStatus = { PERMISSION_DENIED: 7, UNIMPLEMENTED: 12 } as const;
