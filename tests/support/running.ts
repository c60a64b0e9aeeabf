import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Client } from '@temporalio/client';
import { connectTemporal } from '../../src/client/connect.ts';
import { type CutoverClient, createClient } from '../../src/client/cutover-client.ts';
import { type Config, loadConfig } from '../../src/config/index.ts';
import { connectStores, type Stores } from '../../src/manager/stores.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { installRuntime } from '../../workers/runtime.ts';
import { createWorker } from '../../workers/worker.ts';

/** A worker of the product on a task queue and a bucket of its own, over the servers that the tests share. */
export interface Running {
  config: Config;
  client: Omit<CutoverClient, 'close'>;
  temporal: Client;
  stores: Stores;
  /** Writes a file below a folder that goes away with the test; answers its absolute path. */
  put(path: string, content: string | Uint8Array): string;
  folder: string;
  stop(): Promise<void>;
}

/** Once a process. Only what a test should not have caused is told. */
let quiet = false;
export function quietRuntime(): void {
  if (quiet) return;
  installRuntime(createLogger('test', 'error'));
  quiet = true;
}

/** The servers to run over. */
export interface Servers {
  temporal: { address: string };
  supabase: { url: string; secretKey: string };
  stateDir: string;
}

export async function runOn(
  { temporal: { address }, supabase: { url, secretKey }, stateDir }: Servers,
  env: Record<string, string> = {},
  options: { workers?: number } = {},
): Promise<Running> {
  const name = `test-${randomUUID().slice(0, 8)}`;
  const folder = mkdtempSync(join(tmpdir(), 'cutover-test-'));
  const config = loadConfig({
    cwd: folder,
    env: {
      TEMPORAL_ADDRESS: address,
      TEMPORAL_TASK_QUEUE: name,
      SUPABASE_URL: url,
      SUPABASE_SECRET_KEY: secretKey,
      SUPABASE_BUCKET: name,
      CUTOVER_STATE_DIR: stateDir,
      ...env,
    },
  });
  quietRuntime();
  const temporal = await connectTemporal(config.temporal);
  const workers = await Promise.all(
    Array.from({ length: options.workers ?? 1 }, () => createWorker(config, createLogger('test', 'error'))),
  );
  const running = workers.map((worker) => worker.run());
  return {
    config,
    client: createClient(temporal, config),
    temporal,
    stores: connectStores(config),
    folder,
    put(path, content) {
      const absolute = join(folder, path);
      mkdirSync(dirname(absolute), { recursive: true });
      writeFileSync(absolute, content);
      return absolute;
    },
    async stop() {
      for (const worker of workers) worker.shutdown();
      await Promise.all(running);
      await Promise.all(workers.map(({ close }) => close()));
      await temporal.connection.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
