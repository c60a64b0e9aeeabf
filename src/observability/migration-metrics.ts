import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { boundedLabel } from '../domain/metric-labels.ts';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** From half a minute to a month, in seconds. */
const RAMP_BUCKETS = [30, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR, DAY, 3 * DAY, 7 * DAY, 14 * DAY, 30 * DAY];

/** Tools are named by the application, over HTTP by anybody who may call. */
const MAX_TOOLS = 100;
const MAX_FIELDS = 100;

/** `fallback`: legacy answered where unified had failed. `refused`: the caller's mistake. */
export interface CountedOperation {
  tool: string;
  arm: 'legacy' | 'unified';
  outcome: 'success' | 'failure' | 'fallback' | 'refused' | 'cancelled';
}

/** What is in force for a tool, as the ledger has it. */
export interface ShownRollout {
  tool: string;
  /** In per cent. */
  share: number;
  /** Empty where no ramp is under way. */
  evidence: readonly { test: string; value: number; limit: number }[];
}

/** What happens while an application is moved over: its operations, ramps, comparisons and sweeps. */
export function createMigrationMetrics(registry: Registry) {
  const registers = [registry];
  const toolOf = boundedLabel(MAX_TOOLS);
  const fieldOf = boundedLabel(MAX_FIELDS);
  const operations = new Counter({
    name: 'cutover_operations_total',
    help: 'Uploads through the facade by the side that did the work; a fallback is a failure of unified and an answer of legacy',
    labelNames: ['tool', 'arm', 'outcome'],
    registers,
  });
  const dropped = new Counter({
    name: 'cutover_outcomes_dropped_total',
    help: 'Outcomes of operations that the judge of a rollout will not see, because the ledger was away for too long',
    registers,
  });
  const share = new Gauge({
    name: 'cutover_rollout_share',
    help: 'Share of users whom unified serves, 0 to 1, as the ledger has it',
    labelNames: ['tool'],
    registers,
  });
  const evidence = new Gauge({
    name: 'cutover_rollout_evidence',
    help: "Figure of each test of a ramp's present step, as `cutover rollout status` has it; absent where there is no data",
    labelNames: ['tool', 'test'],
    registers,
  });
  const limit = new Gauge({
    name: 'cutover_rollout_evidence_limit',
    help: 'What that figure is compared with',
    labelNames: ['tool', 'test'],
    registers,
  });
  const decisions = new Counter({
    name: 'cutover_rollout_decisions_total',
    help: 'Decisions about rollouts that were written to the audit by this process',
    labelNames: ['tool', 'decision'],
    registers,
  });
  const ramps = new Histogram({
    name: 'cutover_rollout_duration_seconds',
    help: 'How long ramps took from their start until they were completed or rolled back',
    labelNames: ['tool', 'decision'],
    buckets: RAMP_BUCKETS,
    registers,
  });
  const samples = new Counter({
    name: 'cutover_shadow_samples_total',
    help: 'Uploads picked for a shadow comparison, by what came of it: started, or why not (rate, open, over, busy, failed)',
    labelNames: ['tool', 'outcome'],
    registers,
  });
  const comparisons = new Counter({
    name: 'cutover_shadow_comparisons_total',
    help: 'Shadow comparisons by their result',
    labelNames: ['tool', 'result'],
    registers,
  });
  const mismatches = new Counter({
    name: 'cutover_shadow_mismatches_total',
    help: 'Shadow comparisons in which a field differs',
    labelNames: ['tool', 'field'],
    registers,
  });
  const swept = new Counter({
    name: 'cutover_sweep_files_total',
    help: 'Copies that a retention sweep has looked at, by why it did and what became of them',
    labelNames: ['reason', 'result'],
    registers,
  });
  const sweepEnded = new Gauge({
    name: 'cutover_sweep_last_success_timestamp_seconds',
    help: 'When a retention sweep last came to its end, in seconds since 1970',
    registers,
  });
  const sweepInterval = new Gauge({
    name: 'cutover_sweep_interval_seconds',
    help: 'How far apart retention sweeps should be (RETENTION_INTERVAL_HOURS)',
    registers,
  });
  // A gauge without labels is 0 before it is set, which would say 1970, and that sweeps should never end.
  for (const gauge of [sweepEnded, sweepInterval]) gauge.remove();

  return {
    operation: ({ tool, arm, outcome }: CountedOperation): void => operations.inc({ tool: toolOf(tool), arm, outcome }),
    outcomesDropped: (count = 1): void => dropped.inc(count),
    /** @param seconds since the ramp began, where this decision ends it; else null */
    rolloutDecided({ tool, decision, seconds }: { tool: string; decision: string; seconds: number | null }): void {
      const labels = { tool: toolOf(tool), decision };
      decisions.inc(labels);
      if (seconds !== null) ramps.observe(labels, seconds);
    },
    /** All that there are: what is not named is not shown any more. */
    rollouts(shown: readonly ShownRollout[]): void {
      for (const gauge of [share, evidence, limit]) gauge.reset();
      for (const { tool, share: percent, evidence: tests } of shown) {
        share.set({ tool: toolOf(tool) }, percent / 100);
        for (const { test, value, limit: against } of tests) {
          evidence.set({ tool: toolOf(tool), test }, value);
          limit.set({ tool: toolOf(tool), test }, against);
        }
      }
    },
    /** @param outcome a few words of ours */
    sampled: (tool: string, outcome: string): void => samples.inc({ tool: toolOf(tool), outcome }),
    /** @param result such as `match`, `mismatch`, `candidate_failed`: a few words of ours, no message */
    compared({ tool, result, fields }: { tool: string; result: string; fields: readonly string[] }): void {
      comparisons.inc({ tool: toolOf(tool), result });
      for (const field of fields) mismatches.inc({ tool: toolOf(tool), field: fieldOf(field) });
    },
    /** By reason, such as `expired`, and result: `marked`, `purged`, or what else became of a copy (`failed`, `skipped`, `kept`, `left`). */
    sweptPage(counts: readonly { action: string; reason: string; outcome: string; copies: number }[]): void {
      for (const { action, reason, outcome, copies } of counts) {
        const done = action === 'mark' ? 'marked' : 'purged';
        swept.inc({ reason, result: outcome === 'done' ? done : outcome }, copies);
      }
    },
    /** @param atMs since 1970 */
    sweepSucceeded: (atMs: number): void => sweepEnded.set(atMs / 1000),
    sweepInterval: (ms: number): void => sweepInterval.set(ms / 1000),
  };
}
