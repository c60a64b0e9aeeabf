import { z } from 'zod';
import { host, integer, oneOf } from './parsers.ts';
import { setting } from './setting.ts';

/** Where a worker and the API show their metrics and whether they are well. */
export function metricsSchema() {
  const variables = z.object({
    CUTOVER_METRICS_PORT: setting(integer({ min: 0, max: 65_535 }), {
      about: 'Port of /metrics and /healthz of a worker; 0: a free one, which is logged; unset: none, and a free one under `cutover up`',
      default: null,
    }),
    CUTOVER_METRICS_ADDRESS: setting(host(), {
      about: 'Address on which they listen; 0.0.0.0 where a Prometheus on another machine asks',
      default: '127.0.0.1',
    }),
    METRICS_USER_LABEL: setting(oneOf('off', 'bucket', 'full'), {
      about: 'Label for the user: none, one of 16 buckets, or the id itself, which is a series for each user',
      default: 'bucket',
    }),
  });
  const schema = variables.transform((v) => ({
    port: v.CUTOVER_METRICS_PORT,
    address: v.CUTOVER_METRICS_ADDRESS,
    userLabel: v.METRICS_USER_LABEL,
  }));
  return { title: 'Metrics', variables, schema };
}
