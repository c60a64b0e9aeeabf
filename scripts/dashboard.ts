import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * The Grafana dashboard. `node scripts/dashboard.ts` writes it to observability/grafana/dashboards/cutover.json, which is committed, so that
 * Grafana finds it without a build. The format: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
 */

interface Query {
  expr: string;
  legend: string;
}
interface Panel {
  title: string;
  description: string;
  type: 'timeseries' | 'stat' | 'heatmap' | 'bargauge';
  unit: string;
  queries: readonly Query[];
  more?: object;
}

const timeseries = (title: string, unit: string, description: string, ...queries: Query[]): Panel => ({
  ...{ title, description, type: 'timeseries', unit, queries },
});
const stat = (title: string, unit: string, description: string, ...queries: Query[]): Panel => ({
  ...{ title, description, type: 'stat', unit, queries },
});
const query = (expr: string, legend: string): Query => ({ expr, legend });

const PROVIDER = 'provider=~"$provider"';
const TOOL = 'tool=~"$tool"';
/** From green to yellow to red at these values. */
const steps = (yellow: number, red: number) => ({
  thresholds: {
    mode: 'absolute',
    steps: [
      { color: 'green', value: null },
      { color: 'yellow', value: yellow },
      { color: 'red', value: red },
    ],
  },
});
const quantile = (share: number, histogram: string, by: string) =>
  `histogram_quantile(${share}, sum by (le, ${by}) (rate(${histogram}_bucket{${PROVIDER},status="success"}[$__rate_interval])))`;

const ROWS: readonly { title: string; panels: readonly Panel[] }[] = [
  {
    title: 'Uploads',
    panels: [
      timeseries(
        'Transfers a second',
        'reqps',
        'Begun transfers to each provider; a retry is another one.',
        query(`sum by (provider) (rate(file_upload_attempts_total{${PROVIDER}}[$__rate_interval]))`, '{{provider}}'),
      ),
      timeseries(
        'Bytes a second',
        'Bps',
        'By how the transfer ended.',
        query(`sum by (provider, status) (rate(file_upload_bytes_total{${PROVIDER}}[$__rate_interval]))`, '{{provider}} {{status}}'),
      ),
      timeseries(
        'Under way',
        'short',
        'Transfers at this moment.',
        query(`sum by (provider) (file_active_uploads{${PROVIDER}})`, '{{provider}}'),
      ),
      {
        ...timeseries(
          'How long transfers take',
          's',
          'All successful transfers; the darker, the more.',
          query(`sum by (le) (increase(file_upload_duration_seconds_bucket{${PROVIDER},status="success"}[$__rate_interval]))`, '{{le}}'),
        ),
        type: 'heatmap',
        more: { options: { calculate: false, yAxis: { unit: 's' }, color: { scheme: 'Blues' }, cellGap: 1 } },
      },
      timeseries(
        'Transfer time by quantile',
        's',
        'Half, and all but 5 % and 1 %, of the successful transfers were faster.',
        ...[0.5, 0.95, 0.99].map((share) =>
          query(quantile(share, 'file_upload_duration_seconds', 'provider'), `{{provider}} p${share * 100}`),
        ),
      ),
      timeseries(
        'Deduplicated',
        'percentunit',
        'Share of uploads for which no byte was sent, because the content was there already.',
        query(
          `sum by (provider) (rate(file_deduplication_hits_total{${PROVIDER}}[$__rate_interval])) / (sum by (provider) (rate(file_deduplication_hits_total{${PROVIDER}}[$__rate_interval])) + sum by (provider) (rate(file_upload_attempts_total{${PROVIDER}}[$__rate_interval])))`,
          '{{provider}}',
        ),
      ),
    ],
  },
  {
    title: 'Rollouts',
    panels: [
      timeseries(
        'Operations by arm',
        'ops',
        'Uploads through the facade by the side that did the work. A fallback is a failure of unified and an answer of legacy.',
        query(`sum by (tool, arm, outcome) (rate(cutover_operations_total{${TOOL}}[$__rate_interval]))`, '{{tool}} {{arm}} {{outcome}}'),
      ),
      {
        ...timeseries(
          'Share of unified',
          'percentunit',
          'Share of the users whom unified serves.',
          query(`max by (tool) (cutover_rollout_share{${TOOL}})`, '{{tool}}'),
        ),
        more: { fieldConfig: { defaults: { min: 0, max: 1, custom: { lineInterpolation: 'stepAfter' } } } },
      },
      timeseries(
        'Evidence',
        'short',
        'Figure of each test of the present step. Absent where there is no data, and then the ramp holds.',
        query(`max by (tool, test) (cutover_rollout_evidence{${TOOL}})`, '{{tool}} {{test}}'),
      ),
      timeseries(
        'Decisions',
        'short',
        'Of the last hour, by what was decided.',
        query(`sum by (tool, decision) (increase(cutover_rollout_decisions_total{${TOOL}}[1h]))`, '{{tool}} {{decision}}'),
      ),
      timeseries(
        'Shadow comparisons',
        'percentunit',
        'Results of the comparisons of the last hour.',
        query(
          `sum by (tool, result) (increase(cutover_shadow_comparisons_total{${TOOL}}[1h])) / ignoring (result) group_left sum by (tool) (increase(cutover_shadow_comparisons_total{${TOOL}}[1h]))`,
          '{{tool}} {{result}}',
        ),
      ),
      timeseries(
        'Samples',
        'short',
        'Uploads of the last hour that were picked for a comparison: started, or why not. See `cutover shadow status`.',
        query(`sum by (tool, outcome) (increase(cutover_shadow_samples_total{${TOOL}}[1h]))`, '{{tool}} {{outcome}}'),
      ),
      timeseries(
        'Fields that differ',
        'short',
        'In how many comparisons of the last hour each field differs.',
        query(`sum by (tool, field) (increase(cutover_shadow_mismatches_total{${TOOL}}[1h]))`, '{{tool}} {{field}}'),
      ),
    ],
  },
  {
    title: 'Providers',
    panels: [
      {
        ...timeseries(
          'Quota used',
          'percentunit',
          'Used share of each documented limit; of age, how much of its time the oldest copy has behind it. The alert comes at 80 % of files or bytes.',
          query(`max by (provider, kind) (cutover_provider_quota_ratio{${PROVIDER}})`, '{{provider}} {{kind}}'),
        ),
        type: 'bargauge',
        more: { fieldConfig: { defaults: { min: 0, max: 1, ...steps(0.6, 0.8) } } },
      },
      timeseries(
        'Circuit breakers opened',
        'short',
        'Of the last ten minutes. While one is open, its provider is left alone.',
        query(`sum by (provider) (increase(file_circuit_breaker_trips_total{${PROVIDER}}[10m]))`, '{{provider}}'),
      ),
      timeseries(
        'Refused for what they are',
        'reqps',
        'Size, type, purpose: the code of the error.',
        query(`sum by (provider, code) (rate(file_validation_failures_total{${PROVIDER}}[$__rate_interval]))`, '{{provider}} {{code}}'),
      ),
    ],
  },
  {
    title: 'Retention',
    panels: [
      {
        ...stat(
          'Intervals since the last sweep',
          'short',
          'Since a retention sweep last came to its end, in intervals (RETENTION_INTERVAL_HOURS, a day by default). The alert comes an hour after 2.',
          query(
            '(time() - max(max_over_time(cutover_sweep_last_success_timestamp_seconds[30d]))) / (max(cutover_sweep_interval_seconds) or max(last_over_time(cutover_sweep_interval_seconds[30d])) or vector(86400))',
            'last sweep',
          ),
        ),
        more: { fieldConfig: { defaults: { decimals: 1, ...steps(1.1, 2) } } },
      },
      timeseries(
        'Files swept',
        'short',
        'Of the last day, by why they were looked at and what became of them.',
        query('sum by (reason, result) (increase(cutover_sweep_files_total[1d]))', '{{reason}} {{result}}'),
      ),
      timeseries(
        'Deletions',
        'short',
        'Of the last day, by reason.',
        query(`sum by (provider, reason) (increase(file_deletions_total{${PROVIDER}}[1d]))`, '{{provider}} {{reason}}'),
      ),
    ],
  },
  {
    title: 'Temporal workers',
    panels: [
      timeseries(
        'Pollers',
        'short',
        'Open calls that ask for work. None for a queue: nobody serves it.',
        query('sum by (task_queue, poller_type) (temporal_num_pollers)', '{{task_queue}} {{poller_type}}'),
      ),
      timeseries(
        'Free slots',
        'short',
        'For activities. At 0 a worker is full, and work waits.',
        query('sum by (task_queue) (temporal_worker_task_slots_available{worker_type="ActivityWorker"})', '{{task_queue}}'),
      ),
      timeseries(
        'How long activities wait',
        's',
        'Until a worker takes them, all but 5 % of them. A queue of a provider with a rate is slow by intent.',
        query(
          'histogram_quantile(0.95, sum by (le, task_queue) (rate(temporal_activity_schedule_to_start_latency_seconds_bucket[$__rate_interval])))',
          '{{task_queue}} p95',
        ),
      ),
      timeseries(
        'Activities that fail',
        'ops',
        'Attempts; Temporal repeats them.',
        query('sum by (activity_type) (rate(temporal_activity_execution_failed_total[$__rate_interval]))', '{{activity_type}}'),
      ),
      timeseries(
        'Workflow tasks that fail',
        'ops',
        'NonDeterminismError: the code does not fit a history, and its workflows stand still.',
        query(
          'sum by (workflow_type, failure_reason) (rate(temporal_workflow_task_execution_failed_total[$__rate_interval]))',
          '{{workflow_type}} {{failure_reason}}',
        ),
      ),
      timeseries(
        'Workflows that end',
        'ops',
        'Completed, and failed.',
        query('sum by (workflow_type) (rate(temporal_workflow_completed_total[$__rate_interval]))', '{{workflow_type}} completed'),
        query('sum by (workflow_type) (rate(temporal_workflow_failed_total[$__rate_interval]))', '{{workflow_type}} failed'),
      ),
    ],
  },
];

/** Three in a row of Grafana's 24 columns. */
const WIDTH = 8;
const HEIGHT = 8;
const datasource = { type: 'prometheus', uid: 'cutover-prometheus' };
const variable = (name: string, expr: string) => ({
  ...{ name, label: name, type: 'query', datasource, query: expr, refresh: 2, includeAll: true, multi: true },
  current: { text: 'All', value: '$__all' },
});

function panelOf({ title, description, type, unit, queries, more = {} }: Panel, id: number, x: number, y: number) {
  const { fieldConfig = {}, ...others } = more as { fieldConfig?: { defaults?: object } };
  return {
    ...{ id, type, title, description, datasource, gridPos: { x, y, w: WIDTH, h: HEIGHT } },
    fieldConfig: { defaults: { unit, ...fieldConfig.defaults }, overrides: [] },
    targets: queries.map(({ expr, legend }, at) => ({
      ...{ refId: String.fromCharCode(65 + at), datasource, expr, legendFormat: legend },
      ...(type === 'heatmap' ? { format: 'heatmap' } : {}),
      ...(type === 'stat' || type === 'bargauge' ? { instant: true } : {}),
    })),
    ...others,
  };
}

export function dashboard() {
  const panels: object[] = [];
  let y = 0;
  for (const row of ROWS) {
    panels.push({ id: panels.length + 1, type: 'row', title: row.title, collapsed: false, gridPos: { x: 0, y, w: 24, h: 1 }, panels: [] });
    y += 1;
    row.panels.forEach((panel, at) => {
      panels.push(panelOf(panel, panels.length + 1, (at % 3) * WIDTH, y + Math.floor(at / 3) * HEIGHT));
    });
    y += Math.ceil(row.panels.length / 3) * HEIGHT;
  }
  return {
    uid: 'cutover',
    title: 'Cutover',
    tags: ['cutover'],
    schemaVersion: 39,
    editable: false,
    refresh: '30s',
    time: { from: 'now-6h', to: 'now' },
    templating: {
      list: [
        variable('provider', 'label_values(file_upload_attempts_total, provider)'),
        variable('tool', 'label_values(cutover_rollout_share, tool)'),
      ],
    },
    annotations: {
      list: [
        {
          ...{ name: 'Alerts', datasource, enable: true, iconColor: 'red', expr: 'ALERTS{alertstate="firing",alertname=~"Cutover.*"}' },
          ...{ titleFormat: '{{alertname}}', textFormat: '{{tool}}{{provider}}{{workflow_type}}' },
        },
      ],
    },
    panels,
  };
}

if (import.meta.main)
  writeFileSync(
    fileURLToPath(new URL('../observability/grafana/dashboards/cutover.json', import.meta.url)),
    `${JSON.stringify(dashboard(), null, 2)}\n`,
  );
