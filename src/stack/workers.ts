import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { packageRoot } from './paths.ts';
import type { ServiceSpec } from './service.ts';
import { STOP_ORDER } from './stop-order.ts';

export interface WorkerServiceOptions {
  stateDir: string;
  cwd: string;
  env: Readonly<Record<string, string | undefined>>;
  /** Of the first worker's metrics, the others count from it; null or 0: free ones. */
  metricsPort: number | null;
  log: (line: string) => void;
}

/** One worker process. It finds the servers as every other command does: through the state folder and the environment. */
export function workerService(number: number, options: WorkerServiceOptions): ServiceSpec {
  const entry = join(packageRoot(), import.meta.url.endsWith('.ts') ? 'workers/main.ts' : 'dist/workers/main.js');
  const name = `worker-${number}`;
  const metricsPort = options.metricsPort ? options.metricsPort + number - 1 : 0;
  return {
    name,
    stopOrder: STOP_ORDER.worker,
    stopSignal: 'SIGTERM',
    stopWithinMs: 20_000,
    readyWithinMs: 60_000,
    launch: (log) =>
      fork(entry, [], {
        execArgv: [],
        cwd: options.cwd,
        env: { ...options.env, CUTOVER_STATE_DIR: options.stateDir, CUTOVER_METRICS_PORT: String(metricsPort) },
        stdio: ['ignore', log, log, 'ipc'],
        detached: true,
      }),
    ready: async (child, signal) => {
      for (;;) {
        const [message] = await once(child, 'message', { signal });
        const { ready, metrics } = (message ?? {}) as { ready?: unknown; metrics?: unknown };
        if (typeof metrics === 'string') options.log(`${name} shows its metrics at ${metrics}`);
        if (ready === true) return;
      }
    },
  };
}
