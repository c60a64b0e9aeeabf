/** Prometheus's text format, read back (prometheus.io/docs/instrumenting/exposition_formats). */

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export interface Exposition {
  samples: Sample[];
  /** What a Prometheus or `promtool check metrics` would take amiss. */
  faults: string[];
  /** The sum of the samples that have (at least) these labels; 0 where there are none. */
  sum(name: string, labels?: Record<string, string>): number;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([^\s{]+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\n"])*)",?/y;

export function readExposition(text: string): Exposition {
  const samples: Sample[] = [];
  const faults: string[] = [];
  const types = new Map<string, string>();
  const helps = new Set<string>();
  const seen = new Set<string>();
  const begun = new Set<string>();
  let family = '';
  if (!text.endsWith('\n')) faults.push('the last line has no end');

  for (const line of text.split('\n')) {
    const [, kind, about = '', rest = ''] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? [];
    if (kind === 'HELP') {
      if (helps.has(about)) faults.push(`${about} has two HELP`);
      if (rest === '') faults.push(`${about} has an empty HELP`);
      helps.add(about);
    } else if (kind === 'TYPE') {
      if (types.has(about)) faults.push(`${about} has two TYPE`);
      if (begun.has(about)) faults.push(`${about} has its TYPE behind its samples`);
      if (rest === 'counter' && !about.endsWith('_total')) faults.push(`${about} is a counter without _total`);
      types.set(about, rest);
    }
    if (line === '' || line.startsWith('#')) continue;
    const [, name = '', inside = '', number = ''] = SAMPLE.exec(line) ?? [];
    const labels = readLabels(inside);
    const value = number === '+Inf' ? Number.POSITIVE_INFINITY : Number(number);
    if (!NAME.test(name) || labels === null || Number.isNaN(value)) {
      faults.push(`not a sample: ${line}`);
      continue;
    }
    const own = types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '');
    if (!types.has(own)) faults.push(`${name} has no TYPE`);
    if (!helps.has(own)) faults.push(`${name} has no HELP`);
    if (own !== family && begun.has(own)) faults.push(`${own} is in two places`);
    family = own;
    begun.add(own);
    const series = `${name} ${JSON.stringify(Object.entries(labels).sort())}`;
    if (seen.has(series)) faults.push(`twice: ${series}`);
    seen.add(series);
    samples.push({ name, labels, value });
  }
  const sum = (name: string, wanted: Record<string, string> = {}) =>
    samples
      .filter((sample) => sample.name === name && Object.entries(wanted).every(([label, value]) => sample.labels[label] === value))
      .reduce((total, { value }) => total + value, 0);
  return { samples, faults, sum };
}

function readLabels(inside: string): Record<string, string> | null {
  const labels: Record<string, string> = {};
  let at = 0;
  while (at < inside.length) {
    LABEL.lastIndex = at;
    const [whole, name, value] = LABEL.exec(inside) ?? [];
    if (whole === undefined || name === undefined || value === undefined || name in labels) return null;
    labels[name] = value;
    at += whole.length;
  }
  return labels;
}
