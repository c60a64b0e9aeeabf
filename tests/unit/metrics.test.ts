import { describe, expect, test } from 'vitest';
import { createMetrics } from '../../src/observability/metrics.ts';
import { readExposition } from '../support/exposition.ts';
import { hasPromtool, promtoolSays } from '../support/promtool.ts';

type UserLabel = Parameters<typeof createMetrics>[0]['userLabel'];

/** Everything that can be counted, once. */
function countAll(userLabel: UserLabel = 'bucket') {
  const metrics = createMetrics({ userLabel });
  metrics.expectProviders(['kimi', 's3']);
  metrics.sending({ provider: 's3', userId: 'ann' })({ status: 'success', bytes: 1000, seconds: 0.2 });
  metrics.sending({ provider: 's3', userId: null })({ status: 'failure', bytes: 400, seconds: 700 });
  metrics.sending({ provider: 'kimi', userId: 'bob' });
  metrics.deduplicated('s3');
  metrics.refused('kimi', 'file_too_large');
  metrics.deleted('s3', 'requested', 2);
  metrics.circuit('kimi', 'open');
  metrics.quota('kimi', [
    { kind: 'files', used: 10, limit: 100 },
    { kind: 'files', used: 45, limit: 50 },
    { kind: 'bytes', used: 1, limit: 4 },
  ]);
  metrics.operation({ tool: 'kimi', arm: 'unified', outcome: 'success' });
  metrics.outcomesDropped();
  metrics.sampled('kimi', 'rate');
  metrics.rolloutDecided({ tool: 'kimi', decision: 'started', seconds: null });
  metrics.rolloutDecided({ tool: 'kimi', decision: 'rolled_back', seconds: 86_400 });
  metrics.rollouts([{ tool: 'kimi', share: 10, evidence: [{ test: 'wald', value: -1.5, limit: 5.2 }] }]);
  metrics.compared({ tool: 'kimi', result: 'mismatch', fields: ['sha256', 'sizeBytes'] });
  metrics.sweptPage([{ action: 'mark', reason: 'expired', outcome: 'done', copies: 3 }]);
  metrics.sweepSucceeded(1_700_000_000_000);
  metrics.sweepInterval(86_400_000);
  return metrics;
}
const shownBy = async (metrics: ReturnType<typeof createMetrics>) => readExposition(await metrics.text());

describe('The metrics', () => {
  test('are all there by the names that operators know, and move by what was counted', async () => {
    const { sum } = await shownBy(countAll());
    expect(sum('file_upload_attempts_total', { provider: 's3' })).toBe(2);
    expect(sum('file_upload_bytes_total', { provider: 's3', status: 'success' })).toBe(1000);
    expect(sum('file_upload_bytes_total', { provider: 's3', status: 'failure' })).toBe(400);
    expect(sum('file_upload_duration_seconds_count', { provider: 's3', status: 'success' })).toBe(1);
    expect([sum('file_active_uploads', { provider: 's3' }), sum('file_active_uploads', { provider: 'kimi' })]).toEqual([0, 1]);
    expect(sum('file_deduplication_hits_total', { provider: 's3' })).toBe(1);
    expect(sum('file_circuit_breaker_trips_total', { provider: 'kimi' })).toBe(1);
    expect(sum('file_deletions_total', { provider: 's3', reason: 'requested' })).toBe(2);
    expect(sum('file_validation_failures_total', { provider: 'kimi', code: 'file_too_large' })).toBe(1);
    expect(sum('cutover_provider_quota_ratio', { provider: 'kimi', kind: 'files' })).toBe(0.9);
    expect(sum('cutover_provider_quota_ratio', { provider: 'kimi', kind: 'bytes' })).toBe(0.25);
    expect(sum('cutover_operations_total', { tool: 'kimi', arm: 'unified', outcome: 'success' })).toBe(1);
    expect(sum('cutover_outcomes_dropped_total')).toBe(1);
    expect(sum('cutover_rollout_share', { tool: 'kimi' })).toBe(0.1);
    expect(sum('cutover_rollout_evidence', { tool: 'kimi', test: 'wald' })).toBe(-1.5);
    expect(sum('cutover_rollout_evidence_limit', { tool: 'kimi', test: 'wald' })).toBe(5.2);
    expect(sum('cutover_rollout_decisions_total', { tool: 'kimi', decision: 'started' })).toBe(1);
    expect(sum('cutover_rollout_duration_seconds_sum', { tool: 'kimi', decision: 'rolled_back' })).toBe(86_400);
    expect(sum('cutover_shadow_samples_total', { tool: 'kimi', outcome: 'rate' })).toBe(1);
    expect(sum('cutover_shadow_comparisons_total', { tool: 'kimi', result: 'mismatch' })).toBe(1);
    expect(sum('cutover_shadow_mismatches_total', { tool: 'kimi' })).toBe(2);
    expect(sum('cutover_sweep_files_total', { reason: 'expired', result: 'marked' })).toBe(3);
    expect(sum('cutover_sweep_last_success_timestamp_seconds')).toBe(1_700_000_000);
    expect(sum('cutover_sweep_interval_seconds')).toBe(86_400);
  });

  test('are well formed, each series once', async () => {
    const { faults, samples } = await shownBy(countAll());
    expect(faults).toEqual([]);
    expect(samples.length).toBeGreaterThan(60);
  });

  test.skipIf(!hasPromtool)('have nothing that promtool would object to (skipped where there is no promtool)', async () => {
    expect(promtoolSays(await countAll().text())).toBe('');
  });

  test('share nothing with those of another instance', async () => {
    const [one, other] = [createMetrics({ userLabel: 'bucket' }), createMetrics({ userLabel: 'bucket' })];
    one.deduplicated('s3');
    expect((await shownBy(other)).sum('file_deduplication_hits_total')).toBe(0);
  });

  test('have buckets from 10 ms to 10 min for uploads, and from half a minute to 30 days for ramps', async () => {
    const { samples } = await shownBy(countAll());
    const bounds = (name: string) => samples.filter((sample) => sample.name === `${name}_bucket`).map(({ labels }) => Number(labels.le));
    const finite = (name: string) => bounds(name).filter(Number.isFinite);
    expect([Math.min(...finite('file_upload_duration_seconds')), Math.max(...finite('file_upload_duration_seconds'))]).toEqual([0.01, 600]);
    expect([Math.min(...finite('cutover_rollout_duration_seconds')), Math.max(...finite('cutover_rollout_duration_seconds'))]).toEqual([
      30,
      30 * 86_400,
    ]);
  });

  test('do not say 1970 of a sweep that never was', async () => {
    const { samples } = await shownBy(createMetrics({ userLabel: 'bucket' }));
    expect(samples.map(({ name }) => name)).not.toContain('cutover_sweep_last_success_timestamp_seconds');
  });

  test('count a trip when the circuit opens, and not while it stays open', async () => {
    const metrics = createMetrics({ userLabel: 'bucket' });
    for (const state of ['closed', 'open', 'open', 'half_open', 'open', 'half_open', 'closed', 'open'] as const)
      metrics.circuit('s3', state);
    expect((await shownBy(metrics)).sum('file_circuit_breaker_trips_total')).toBe(3);
  });

  test('show the rollouts that there are, and not those of the scrape before', async () => {
    const metrics = countAll();
    metrics.rollouts([{ tool: 'supabase', share: 50, evidence: [] }]);
    const { samples } = await shownBy(metrics);
    expect(samples.filter(({ name }) => name.startsWith('cutover_rollout_share')).map(({ labels }) => labels.tool)).toEqual(['supabase']);
    expect(samples.some(({ name }) => name.startsWith('cutover_rollout_evidence'))).toBe(false);
  });

  test('of others stand behind ours, also where theirs have no end of line', async () => {
    const { faults, sum } = readExposition(
      await countAll().text([async () => '# HELP other a\n# TYPE other gauge\nother 7', async () => '']),
    );
    expect([faults.filter((fault) => !fault.startsWith('the last line')), sum('other')]).toEqual([[], 7]);
  });

  test('read what belongs to no process when they are asked for', async () => {
    const metrics = createMetrics({ userLabel: 'bucket' });
    metrics.onScrape(async () => metrics.rollouts([{ tool: 'kimi', share: 1, evidence: [] }]));
    expect((await shownBy(metrics)).sum('cutover_rollout_share')).toBe(0.01);
  });
});

describe('100,000 users', () => {
  const USERS = Array.from({ length: 100_000 }, (_, at) => `user-${at}`);
  async function seriesOf(userLabel: UserLabel, users = USERS): Promise<{ series: number; labels: Set<string | undefined> }> {
    const metrics = createMetrics({ userLabel });
    for (const userId of users)
      for (const provider of ['kimi', 's3']) metrics.sending({ provider, userId })({ status: 'success', bytes: 1, seconds: 0.1 });
    const { samples } = await shownBy(metrics);
    const attempts = samples.filter(({ name }) => name === 'file_upload_attempts_total');
    return { series: samples.length, labels: new Set(attempts.map(({ labels }) => labels.user)) };
  }

  test('leave at most 500 series in all, of 16 buckets', async () => {
    const { series, labels } = await seriesOf('bucket');
    expect(series).toBeLessThanOrEqual(500);
    expect([...labels].map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, at) => at));
  });

  test('leave no label where it is off, and one for each of them only where that was asked for', async () => {
    expect((await seriesOf('off')).labels).toEqual(new Set([undefined]));
    expect((await seriesOf('full', USERS.slice(0, 50))).labels).toEqual(new Set(USERS.slice(0, 50)));
  });

  test('who make up a tool each leave no more than a hundred', async () => {
    const metrics = createMetrics({ userLabel: 'bucket' });
    for (const tool of USERS) metrics.operation({ tool, arm: 'legacy', outcome: 'success' });
    const { samples, sum } = await shownBy(metrics);
    expect(samples.filter(({ name }) => name === 'cutover_operations_total')).toHaveLength(101);
    expect(sum('cutover_operations_total', { tool: 'other' })).toBe(USERS.length - 100);
  });
});

test.each([
  ['a series twice', '# HELP a x\n# TYPE a gauge\na{b="1"} 1\na{b="1"} 2\n', 'twice'],
  ['two HELP', '# HELP a x\n# HELP a x\n# TYPE a gauge\na 1\n', 'two HELP'],
  ['no TYPE', 'a 1\n', 'no TYPE'],
  ['a counter that is not called one', '# HELP a x\n# TYPE a counter\na 1\n', '_total'],
  ['a family in two places', '# HELP a x\n# TYPE a gauge\n# HELP b x\n# TYPE b gauge\na 1\nb 1\na{c="d"} 1\n', 'two places'],
  ['a label that is not one', '# HELP a x\n# TYPE a gauge\na{1b="2"} 1\n', 'not a sample'],
])('The check of these texts finds %s', (_, text, fault) => {
  expect(readExposition(text).faults.join()).toContain(fault);
});
