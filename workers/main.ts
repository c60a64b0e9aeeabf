import { loadConfig, processSource } from '../src/config/index.ts';
import { messageOf } from '../src/domain/errors.ts';
import { exitCodeFor } from '../src/domain/exit-code.ts';
import { createLogger } from '../src/observability/logger.ts';
import { installRuntime } from './runtime.ts';
import { keepSchedules } from './schedules.ts';
import { createWorker } from './worker.ts';

/**
 * The worker process. Tells its parent `{ ready: true }`; on SIGTERM, SIGINT or the parent's death it takes no more tasks, lets
 * the running ones finish within the grace, and ends. The exit code is that of the command line: it could not start, or broke.
 */
const log = createLogger('worker', 'info');
try {
  const config = loadConfig(processSource());
  log.level = config.log.level;
  for (const warning of config.warnings) log.warn(warning);
  installRuntime(log);
  const worker = await createWorker(config, log);
  await keepSchedules(config, log);
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
  log.info({ taskQueue: config.temporal.taskQueue, temporal: config.temporal.address }, 'ready');
  process.send?.({ ready: true });
  await running;
  await worker.close();
  log.info('stopped');
} catch (error) {
  log.fatal(messageOf(error));
  // At once: the SDK's native part would keep a process alive that never had a worker.
  process.exit(exitCodeFor(error));
}
// A socket that is kept alive must not keep the process.
if (process.connected) process.disconnect();
