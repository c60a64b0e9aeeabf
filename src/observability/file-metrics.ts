import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { type DeletionReason, type UserLabelMode, userLabel } from '../domain/metric-labels.ts';

/** From 10 ms to 10 min, in seconds. */
const UPLOAD_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

/** `cancelled`: the caller, the worker's end or a lost claim stopped it. */
type UploadStatus = 'success' | 'failure' | 'cancelled';

/** What happens to files at providers. A label `provider` is the name of one that is configured. */
export function createFileMetrics(registry: Registry, mode: UserLabelMode) {
  const registers = [registry];
  const attempts = new Counter({
    name: 'file_upload_attempts_total',
    help: 'Transfers to a provider that were begun; a retry is another one, a content that was there already is none',
    labelNames: ['provider', ...(mode === 'off' ? [] : ['user'])],
    registers,
  });
  const bytes = new Counter({
    name: 'file_upload_bytes_total',
    help: 'Bytes of files that a provider has stored (success), or had taken when the transfer ended otherwise',
    labelNames: ['provider', 'status'],
    registers,
  });
  const duration = new Histogram({
    name: 'file_upload_duration_seconds',
    help: 'How long transfers to a provider took, by how they ended (success, failure, cancelled)',
    labelNames: ['provider', 'status'],
    buckets: UPLOAD_BUCKETS,
    registers,
  });
  const active = new Gauge({
    name: 'file_active_uploads',
    help: 'Transfers to a provider that are under way in this process',
    labelNames: ['provider'],
    registers,
  });
  const deduplicated = new Counter({
    name: 'file_deduplication_hits_total',
    help: 'Uploads for which no byte was sent, because the content was there already',
    labelNames: ['provider'],
    registers,
  });
  const trips = new Counter({
    name: 'file_circuit_breaker_trips_total',
    help: "Times that a provider's circuit breaker opened, a trial call that failed included",
    labelNames: ['provider'],
    registers,
  });
  const deletions = new Counter({
    name: 'file_deletions_total',
    help: 'Copies that were marked as deleted, and objects too many that were removed (surplus), by reason',
    labelNames: ['provider', 'reason'],
    registers,
  });
  const invalid = new Counter({
    name: 'file_validation_failures_total',
    help: 'Uploads that were refused for what they are (size, type, purpose), by the code of the error',
    labelNames: ['provider', 'code'],
    registers,
  });
  const quota = new Gauge({
    name: 'cutover_provider_quota_ratio',
    help: "Used share of a provider's documented limit, 0 to 1; of several limits of a kind, the fullest; of age, that of the oldest copy",
    labelNames: ['provider', 'kind'],
    registers,
  });
  const circuits = new Map<string, string>();

  return {
    /** Shows the providers that there are from the start: a counter that begins at 1 has no rate. */
    expectProviders(names: readonly string[]): void {
      for (const provider of names) {
        for (const counter of [deduplicated, trips]) counter.inc({ provider }, 0);
        active.set({ provider }, 0);
      }
    },
    /** A transfer begins. @returns what is to be called once when it ends */
    sending({ provider, userId }: { provider: string; userId: string | null }) {
      const user = userLabel(mode, userId);
      attempts.inc({ provider, ...(user === null ? {} : { user }) });
      active.inc({ provider });
      return ({ status, bytes: count, seconds }: { status: UploadStatus; bytes: number; seconds: number }): void => {
        active.dec({ provider });
        bytes.inc({ provider, status }, count);
        duration.observe({ provider, status }, seconds);
      };
    },
    deduplicated: (provider: string): void => deduplicated.inc({ provider }),
    refused: (provider: string, code: string): void => invalid.inc({ provider, code }),
    deleted: (provider: string, reason: DeletionReason, count = 1): void => deletions.inc({ provider, reason }, count),
    /** How the circuit of a provider is now; told as often as one likes. */
    circuit(provider: string, state: 'closed' | 'open' | 'half_open'): void {
      if (state === 'open' && circuits.get(provider) !== 'open') trips.inc({ provider });
      circuits.set(provider, state);
    },
    quota(provider: string, uses: readonly { kind: string; used: number; limit: number }[]): void {
      const fullest = new Map<string, number>();
      for (const { kind, used, limit } of uses) fullest.set(kind, Math.max(fullest.get(kind) ?? 0, used / limit));
      for (const [kind, ratio] of fullest) quota.set({ provider, kind }, ratio);
    },
  };
}
