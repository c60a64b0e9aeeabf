import { makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import type { Logger } from 'pino';
import { temporalLogger } from '../src/observability/logger.ts';
import { freePort } from './free-port.ts';

/** Once a process. The SDK and its native core log by our logger; signals are handled by us, so that all connections are closed. */
export function installRuntime(log: Logger, { metricsAddress }: { metricsAddress?: string } = {}): void {
  Runtime.install({
    shutdownSignals: [],
    logger: temporalLogger(log),
    telemetryOptions: {
      logging: { forward: {}, filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }) },
      ...(metricsAddress === undefined ? {} : { metrics: sdkMetrics(metricsAddress) }),
    },
  });
}

/** As Prometheus wants them: base units, and counters that are called so. */
const sdkMetrics = (bindAddress: string) => ({
  prometheus: { bindAddress, countersTotalSuffix: true, unitSuffix: true, useSecondsForDurations: true },
});

/** How long the SDK's own endpoint on this machine may take. */
const SDK_MS = 2_000;

/** As `installRuntime`, with the SDK's metrics. @returns what they are now, as text; empty where they cannot be had */
export async function installMeasuredRuntime(log: Logger): Promise<() => Promise<string>> {
  // The SDK serves them by itself, on a port that it must be given. It is nobody else's, so that it stays on the loopback.
  const metricsAddress = `127.0.0.1:${await freePort()}`;
  installRuntime(log, { metricsAddress });
  return async () => {
    try {
      return await (await fetch(`http://${metricsAddress}/metrics`, { signal: AbortSignal.timeout(SDK_MS) })).text();
    } catch (error) {
      log.warn({ error: String(error) }, "the metrics of Temporal's SDK cannot be read");
      return '';
    }
  };
}
