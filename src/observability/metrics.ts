import { Registry } from 'prom-client';
import type { UserLabelMode } from '../domain/metric-labels.ts';
import { createFileMetrics } from './file-metrics.ts';
import { createMigrationMetrics } from './migration-metrics.ts';

export interface MetricsOptions {
  /** Of METRICS_USER_LABEL. */
  userLabel: UserLabelMode;
  /** Absent: one of its own. Never prom-client's global one. */
  registry?: Registry;
}

/**
 * All that is counted, under Prometheus's names and in base units, as functions for those who know. The only place beside the two
 * files that this is made of which knows prom-client. Each function returns at once and throws nothing.
 */
export function createMetrics({ userLabel, registry = new Registry() }: MetricsOptions) {
  const collectors: (() => Promise<void>)[] = [];
  return {
    ...createFileMetrics(registry, userLabel),
    ...createMigrationMetrics(registry),
    /** What is read when somebody asks, because it belongs to no process. Its errors are its own. */
    onScrape(collect: () => Promise<void>): void {
      collectors.push(collect);
    },
    /** In Prometheus's text format, with the text of others (Temporal's SDK) behind it. */
    async text(others: readonly (() => Promise<string>)[] = []): Promise<string> {
      await Promise.all(collectors.map((collect) => collect()));
      const texts = await Promise.all([registry.metrics(), ...others.map((other) => other())]);
      return texts.map((text) => (text === '' || text.endsWith('\n') ? text : `${text}\n`)).join('');
    },
  };
}

export type Metrics = ReturnType<typeof createMetrics>;

/** The format of `text`. */
export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;
