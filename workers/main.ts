import { loadConfig, processSource, secretValues } from '../src/config/index.ts';
import { messageOf } from '../src/domain/errors.ts';
import { exitCodeFor } from '../src/domain/exit-code.ts';
import { connectStores } from '../src/manager/stores.ts';
import { createLogger } from '../src/observability/logger.ts';
import { connectTracing } from '../src/observability/tracing.ts';
import { warnOfOldLedger } from '../src/stack/old-ledger.ts';
import { prepareMetrics } from './metrics.ts';
import { keepSchedules } from './schedules.ts';
import { createWorker } from './worker.ts';

/**
 * The worker process. Tells its parent `{ ready: true }`; on SIGTERM, SIGINT or the parent's death it takes no more tasks, lets
 * the running ones finish within the grace, and ends. The exit code is that of the command line: it could not start, or broke.
 */
const source = processSource();
const log = createLogger('worker', 'info', {
  terminal: process.stderr.isTTY === true,
  color: (source.env.NO_COLOR ?? '') === '',
  secrets: secretValues(source),
});
try {
  const config = loadConfig(source);
  log.level = config.log.level;
  for (const warning of config.warnings) log.warn(warning);
  const tracing = await connectTracing({ env: source.env, service: 'cutover-worker', warn: (message) => log.warn(message) });
  const endpoint = await prepareMetrics(config.metrics, log);
  const worker = await createWorker(config, log, { metrics: endpoint.metrics, tracing });
  const served = await endpoint.serve(worker.health);
  await keepSchedules(config, log);
  void warnOfOldLedger(connectStores(config).ledger, log);
  let stopping = false;
  const stop = (why: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ why }, 'stopping');
    worker.shutdown();
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  process.on('disconnect', () => stop('the parent is gone'));
  const running = worker.run();
  const shown = served === null ? {} : { metrics: `${served.url}/metrics` };
  log.info({ taskQueue: config.temporal.taskQueue, temporal: config.temporal.address, ...shown }, 'ready');
  process.send?.({ ready: true, ...shown });
  await running;
  await worker.close();
  await served?.close();
  await tracing.close();
  log.info('stopped');
} catch (error) {
  log.fatal(messageOf(error));
  // At once: the SDK's native part would keep a process alive that never had a worker.
  process.exit(exitCodeFor(error));
}
// A socket that is kept alive must not keep the process.
if (process.connected) process.disconnect();
