import type { Logger } from 'pino';
import type { Config } from '../src/config/index.ts';
import { messageOf } from '../src/domain/errors.ts';
import type { RolloutLedger } from '../src/ledger/rollout-ledger.ts';
import { rolloutSnapshots } from '../src/manager/rollout-snapshot.ts';
import { createMetrics, type Metrics } from '../src/observability/metrics.ts';
import { type Health, type MetricsServer, serveMetrics } from '../src/observability/metrics-server.ts';
import { installMeasuredRuntime, installRuntime } from './runtime.ts';

export interface MetricsEndpoint {
  metrics: Metrics;
  /** Null where none is asked for. @throws ValidationError `port_taken`, `address_unusable` */
  serve(health: () => Promise<Health>): Promise<MetricsServer | null>;
}

/** Once a process, before its first worker: installs the SDK's runtime, with metrics of its own where they are to be served. */
export async function prepareMetrics({ port, address, userLabel }: Config['metrics'], log: Logger): Promise<MetricsEndpoint> {
  const metrics = createMetrics({ userLabel });
  if (port === null) {
    installRuntime(log);
    return { metrics, serve: async () => null };
  }
  const ofTheSdk = await installMeasuredRuntime(log);
  return { metrics, serve: (health) => serveMetrics({ address, port, metrics: () => metrics.text([ofTheSdk]), health }) };
}

/** Prometheus asks every few seconds, and there may be many who ask: the ledger hears of it this often. */
const FRESH_MS = 5_000;
/** A scrape is given up after ten seconds. */
const LEDGER_MS = 3_000;

/**
 * Shares and evidence are the ledger's and not a worker's: each scrape shows what is in force, whichever worker decided it. While the
 * ledger is away they are absent.
 */
export function showRollouts(metrics: Metrics, ledger: RolloutLedger, log: Logger): void {
  let readMs = Number.NEGATIVE_INFINITY;
  metrics.onScrape(async () => {
    if (performance.now() - readMs < FRESH_MS) return;
    readMs = performance.now();
    try {
      metrics.rollouts(await within(LEDGER_MS, rolloutSnapshots(ledger)));
    } catch (error) {
      metrics.rollouts([]);
      log.warn({ error: messageOf(error) }, 'the rollouts cannot be read for the metrics');
    }
  });
}

function within<T>(ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the ledger did not answer within ${ms} ms`)), ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
