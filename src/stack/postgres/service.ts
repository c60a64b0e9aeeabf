import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { identify, stopProcess } from '../process-identity.ts';
import type { ServiceSpec } from '../service.ts';
import { STOP_ORDER } from '../stop-order.ts';
import { dataFolder, postgresEnv, SUPERUSER } from './cluster.ts';
import type { Placement } from './placement.ts';

/** Small machines, many short transactions, nothing lost: everything that is acknowledged is on disk. */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '60',
  shared_buffers: '64MB',
  max_wal_size: '256MB',
  max_parallel_workers_per_gather: '0',
  timezone: 'UTC',
  log_timezone: 'UTC',
};

export function postgresService(
  placement: Placement,
  options: { port: number; env: Readonly<Record<string, string | undefined>> },
): ServiceSpec {
  const data = dataFolder(placement);
  return {
    name: 'postgres',
    stopOrder: STOP_ORDER.postgres,
    // Fast shutdown: ends sessions and writes a checkpoint. SIGTERM would wait for every client to leave.
    stopSignal: 'SIGINT',
    stopWithinMs: 30_000,
    readyWithinMs: 60_000,
    launch: (log) =>
      spawn(
        join(placement.native, 'bin', 'postgres'),
        ['-D', data, '-p', String(options.port), ...Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
        {
          cwd: placement.home,
          env: postgresEnv(options.env),
          stdio: ['ignore', log, log],
          detached: true,
          ...(placement.account === null ? {} : { uid: placement.account.uid, gid: placement.account.gid }),
        },
      ),
    ready: async (child, signal) => {
      while (readStatus(data)?.pid !== child.pid || readStatus(data)?.status !== 'ready') await delay(20, null, { signal });
    },
  };
}

export function postgresUrl(port: number, password: string): string {
  return `postgres://${SUPERUSER}:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`;
}

/** What pg_ctl looks at: the first line of `postmaster.pid` is the process, the eighth its state. */
function readStatus(data: string): { pid: number; status: string } | null {
  try {
    const lines = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
    return { pid: Number(lines[0]), status: lines[7]?.trim() ?? '' };
  } catch {
    return null;
  }
}

/** Stops a server that was left on this data folder, found by its own `postmaster.pid`, when it really is one on this folder. */
export async function stopStrayPostgres(data: string): Promise<boolean> {
  const pid = existsSync(data) ? readStatus(data)?.pid : undefined;
  const identity = pid === undefined || Number.isNaN(pid) || pid === process.pid ? null : identify(pid);
  if (identity === null || !serves(identity.pid, data)) return false;
  await stopProcess(identity, 'SIGINT', 30_000);
  return true;
}

/** Whether its command line is that of a server on this very folder: a later process may have the id of one that is gone. */
function serves(pid: number, data: string): boolean {
  try {
    const [program = '', ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return basename(program) === 'postgres' && args[args.indexOf('-D') + 1] === data;
  } catch {
    return false;
  }
}
