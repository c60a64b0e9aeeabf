import { spawn } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../../../workflows/contract.ts';
import { ensureSearchAttributes } from '../search-attributes.ts';
import type { ServiceSpec } from '../service.ts';
import { STOP_ORDER } from '../stop-order.ts';

export interface TemporalServerOptions {
  binary: string;
  dbFile: string;
  port: number;
  uiPort: number;
  namespace: string;
  env: Readonly<Record<string, string | undefined>>;
}

/** A migration can be looked at in the UI for a month after it ended; the development server's own default is a day. */
const RETENTION_SECONDS = 30 * 24 * 3600;

export function temporalService(options: TemporalServerOptions): ServiceSpec {
  const { binary, dbFile, port, uiPort, namespace } = options;
  const flags = ['--ip', '127.0.0.1', '--port', String(port), '--ui-port', String(uiPort), '--db-filename', dbFile, '--log-level', 'warn'];
  // WAL: many times the workflows a second, and a kill loses nothing that was acknowledged.
  const pragmas = ['--sqlite-pragma', 'journal_mode=WAL', '--sqlite-pragma', 'synchronous=NORMAL'];
  return {
    name: 'temporal',
    stopOrder: STOP_ORDER.temporal,
    stopSignal: 'SIGTERM',
    stopWithinMs: 15_000,
    readyWithinMs: 60_000,
    launch: (log) => {
      removeUnfinished(dbFile);
      return spawn(
        '/bin/sh',
        ['-c', 'umask 077; exec "$0" "$@"', binary, 'server', 'start-dev', ...flags, ...pragmas, '--namespace', namespace],
        {
          env: { PATH: options.env.PATH, HOME: options.env.HOME },
          stdio: ['ignore', log, log],
          detached: true,
        },
      );
    },
    ready: async (_child, signal) => {
      await prepare(`127.0.0.1:${port}`, namespace, signal);
      writeFileSync(finishedMark(dbFile), '');
    },
  };
}

/** Waits for the server and its namespace, and sets up what workflows need there. */
async function prepare(address: string, namespace: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    let connection: Connection | undefined;
    try {
      connection = await Connection.connect({ address, connectTimeout: 1000 });
      await connection.workflowService.describeNamespace({ namespace });
      await connection.workflowService.updateNamespace({
        namespace,
        config: { workflowExecutionRetentionTtl: { seconds: RETENTION_SECONDS as never } },
      });
      await ensureSearchAttributes(connection, namespace, SEARCH_ATTRIBUTES);
      return;
    } catch {
      await delay(50, null, { signal });
    } finally {
      await connection?.close();
    }
  }
}

const finishedMark = (dbFile: string): string => `${dbFile}.complete`;

/** A server that is killed while it makes its tables never makes the rest of them. */
function removeUnfinished(dbFile: string): void {
  if (existsSync(finishedMark(dbFile))) return;
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${dbFile}${suffix}`, { force: true });
}
