import { loadConfig, processSource } from '../../src/config/index.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { createWorker } from '../../workers/worker.ts';
import { quietRuntime } from './running.ts';

/** A worker of the product as a process that can be killed, without the Schedules, which all tests would share. */
quietRuntime();
const worker = await createWorker(loadConfig(processSource()), createLogger('test', 'error'));
process.once('disconnect', () => process.exit());
const running = worker.run();
process.send?.('ready');
await running;
