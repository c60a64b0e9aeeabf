import type { Logger } from 'pino';
import type { Config } from '../src/config/index.ts';
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
