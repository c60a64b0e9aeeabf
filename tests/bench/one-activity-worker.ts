import { fileURLToPath } from 'node:url';
import { NativeConnection, Worker } from '@temporalio/worker';
import { createLogger } from '../../src/observability/logger.ts';
import { installRuntime } from '../../workers/runtime.ts';

/** `one-activity-worker.ts ADDRESS QUEUE`: a worker as ours is, with a workflow of one activity that does nothing. */
const [, , address = '', taskQueue = ''] = process.argv;
installRuntime(createLogger('bench', 'warn'));
const connection = await NativeConnection.connect({ address });
const worker = await Worker.create({
  connection,
  taskQueue,
  workflowsPath: fileURLToPath(new URL('./one-activity-workflow.ts', import.meta.url)),
  activities: { nothing: async () => 1 },
  maxConcurrentActivityTaskExecutions: 50,
});
const stop = () => {
  if (worker.getState() === 'RUNNING') worker.shutdown();
};
process.on('SIGTERM', stop);
process.on('disconnect', stop);
const running = worker.run();
process.send?.({ ready: true });
await running;
await connection.close();
if (process.connected) process.disconnect();
