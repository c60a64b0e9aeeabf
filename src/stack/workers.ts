import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { packageRoot } from './paths.ts';
import type { ServiceSpec } from './service.ts';
import { STOP_ORDER } from './stop-order.ts';

/** One worker process. It finds the servers as every other command does: through the state folder and the environment. */
export function workerService(
  number: number,
  options: { stateDir: string; cwd: string; env: Readonly<Record<string, string | undefined>> },
): ServiceSpec {
  const entry = join(packageRoot(), import.meta.url.endsWith('.ts') ? 'workers/main.ts' : 'dist/workers/main.js');
  return {
    name: `worker-${number}`,
    stopOrder: STOP_ORDER.worker,
    stopSignal: 'SIGTERM',
    stopWithinMs: 20_000,
    readyWithinMs: 60_000,
    launch: (log) =>
      fork(entry, [], {
        execArgv: [],
        cwd: options.cwd,
        env: { ...options.env, CUTOVER_STATE_DIR: options.stateDir },
        stdio: ['ignore', log, log, 'ipc'],
        detached: true,
      }),
    ready: async (child, signal) => {
      for (;;) {
        const [message] = await once(child, 'message', { signal });
        if ((message as { ready?: unknown } | null)?.ready === true) return;
      }
    },
  };
}
