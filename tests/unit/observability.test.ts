import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { dashboard } from '../../scripts/dashboard.ts';
import { createMetrics } from '../../src/observability/metrics.ts';
import { promtool } from '../support/promtool.ts';

const root = join(import.meta.dirname, '../..');
const folder = join(root, 'observability');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: Record<string, string>;
}
const rules = (parse(read('observability/alerts.yml')) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules);

/** What every dashboard of ours must show. */
const OURS = [
  'file_upload_attempts_total',
  'file_upload_bytes_total',
  'file_upload_duration_seconds',
  'file_active_uploads',
  'file_deduplication_hits_total',
  'file_circuit_breaker_trips_total',
  'file_deletions_total',
  'file_validation_failures_total',
  'cutover_operations_total',
  'cutover_rollout_share',
  'cutover_rollout_evidence',
  'cutover_rollout_decisions_total',
  'cutover_shadow_samples_total',
  'cutover_shadow_comparisons_total',
  'cutover_shadow_mismatches_total',
  'cutover_sweep_files_total',
  'cutover_sweep_last_success_timestamp_seconds',
  'cutover_sweep_interval_seconds',
  'cutover_provider_quota_ratio',
];
/** What workers and the API serve. */
const text = await createMetrics({ userLabel: 'bucket' }).text();
const ours = new Set([...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name ?? ''));
/** Prometheus's own. */
const PROMETHEUS = ['up', 'ALERTS'];
/** Temporal's, as its SDK's core names them; workers have it add `_total` and `_seconds`. */
const sdk = ['sdk-core/src/telemetry/metrics.rs', 'common/src/telemetry/metrics.rs']
  .map((file) => read(`node_modules/@temporalio/core-bridge/sdk-core/crates/${file}`))
  .join();
const inSdk = (name: string) => sdk.includes(`"${name}"`);

/** The metrics that an expression asks for: names that are neither functions nor labels. */
function metricsOf(expr: string): string[] {
  const bare = expr
    .replace(/"[^"]*"/g, '""')
    .replace(/\{[^}]*\}/g, '')
    .replace(/\[[^\]]*\]/g, '')
    .replace(/\b(by|without|on|ignoring|group_left|group_right)\s*(\([^)]*\))?/g, ' ')
    .replace(/\boffset\s+\w+/g, ' ');
  const names = [...bare.matchAll(/\b([a-zA-Z_][a-zA-Z0-9_]*)\b(?!\s*\()/g)].map((match) => match[1] as string);
  return names.filter((name) => !/^(and|or|unless)$/.test(name));
}

function exists(metric: string): boolean {
  const plain = metric.replace(/_(bucket|count|sum)$/, '');
  if (PROMETHEUS.includes(metric) || ours.has(metric) || ours.has(plain)) return true;
  return metric.startsWith('temporal_') && inSdk(plain.replace(/^temporal_/, '').replace(/_(total|seconds)$/, ''));
}

const queries = dashboard().panels.flatMap((panel) => ((panel as { targets?: { expr: string }[] }).targets ?? []).map(({ expr }) => expr));

describe('a metric', () => {
  it('is found in an expression, and no function or label is taken for one', () => {
    expect(
      metricsOf(
        'histogram_quantile(0.5, sum by (le, provider) (rate(a_bucket{b=~"c"}[5m]))) > 1e3 and on (d) max(e offset 1h) unless f == 0',
      ),
    ).toEqual(['a_bucket', 'e', 'f']);
    expect([exists('cutover_rollout_shares'), exists('temporal_nonsense_total'), exists('temporal_num_pollers')]).toEqual([
      false,
      false,
      true,
    ]);
  });

  it.each(rules)('that $alert asks for exists', ({ expr }) => {
    const metrics = metricsOf(expr);
    expect(metrics.length).toBeGreaterThan(0);
    expect(metrics.filter((metric) => !exists(metric))).toEqual([]);
  });

  it('that the dashboard asks for exists, and it asks for all of ours', () => {
    const metrics = queries.flatMap(metricsOf);
    expect(metrics.filter((metric) => !exists(metric))).toEqual([]);
    const asked = new Set(metrics.flatMap((metric) => [metric, metric.replace(/_(bucket|count|sum)$/, '')]));
    expect(OURS.filter((metric) => !asked.has(metric))).toEqual([]);
  });
});

describe('an alert', () => {
  it.each(rules)('$alert says what happened, what it means and where to look, and how urgent it is', ({ labels, annotations }) => {
    expect(['critical', 'warning', 'info']).toContain(labels.severity);
    for (const part of ['summary', 'description', 'runbook']) expect(annotations[part]?.length ?? 0, part).toBeGreaterThan(20);
  });

  it.each(rules)('$alert has a case in which it fires', ({ alert }) => {
    expect(read('observability/alerts.test.yml') + read('observability/alerts-slow.test.yml')).toContain(`ALERTS{alertname="${alert}"`);
  });

  it.skipIf('missing' in promtool)(
    `fires in its case, and stays quiet in all others${'missing' in promtool ? `: skipped, ${promtool.missing}` : ''}`,
    () => {
      const run = (...args: string[]) => execFileSync('promtool', args, { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
      expect(run('test', 'rules', 'alerts.test.yml', 'alerts-slow.test.yml')).toContain('SUCCESS');
      expect(run('check', 'config', 'prometheus.yml')).toContain(`${rules.length} rules found`);
    },
    120_000,
  );
});

describe('the dashboard', () => {
  it('that Grafana is given is the one that scripts/dashboard.ts makes', () => {
    expect(JSON.parse(read('observability/grafana/dashboards/cutover.json'))).toEqual(JSON.parse(JSON.stringify(dashboard())));
  });

  it('has panels that do not lie on one another', () => {
    const places = dashboard().panels.map((panel) => (panel as { gridPos: { x: number; y: number; w: number; h: number } }).gridPos);
    const overlap = places.some((a, at) =>
      places.slice(at + 1).some((b) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h),
    );
    expect([places.length > 20, overlap]).toEqual([true, false]);
  });

  it.skipIf('missing' in promtool)(
    `asks only what Prometheus can parse${'missing' in promtool ? `: skipped, ${promtool.missing}` : ''}`,
    () => {
      const plain = (expr: string) => expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$(provider|tool)/g, '.*');
      const asRules = { groups: [{ name: 'dashboard', rules: queries.map((expr, at) => ({ record: `q:${at}`, expr: plain(expr) })) }] };
      const file = join(mkdtempSync(join(tmpdir(), 'cutover-dashboard-')), 'queries.json');
      writeFileSync(file, JSON.stringify(asRules));
      const answer = execFileSync('promtool', ['check', 'rules', file], { encoding: 'utf8', stdio: 'pipe' });
      rmSync(dirname(file), { recursive: true });
      expect(answer).toContain(`${queries.length} rules found`);
    },
  );
});
