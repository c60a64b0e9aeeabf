/** The comparison of what two implementations answered to the same operation. The words are those of github/scientist. */

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** What one side made of the operation. Times are not part of the result: they differ always. */
export type Observation =
  | { ok: true; result: { readonly [field: string]: JsonValue }; ms: number }
  /** `code` as of the errors' hierarchy. */
  | { ok: false; code: string; ms: number };

/** Brings a value into the form in which it is compared. */
export const CLEANERS = {
  trim: (value: JsonValue) => (typeof value === 'string' ? value.trim() : value),
  lowercase: (value: JsonValue) => (typeof value === 'string' ? value.toLowerCase() : value),
  /** The last segment of a path or URL. */
  basename: (value: JsonValue) =>
    typeof value === 'string'
      ? (value
          .replace(/[?#].*$/, '')
          .split('/')
          .at(-1) ?? value)
      : value,
  /** A MIME type without its parameters. */
  essence: (value: JsonValue) => (typeof value === 'string' ? (value.split(';')[0] ?? value).trim().toLowerCase() : value),
  /** A list whose order says nothing. */
  sorted: (value: JsonValue) => (Array.isArray(value) ? value.map((each) => canonical(each as JsonValue)).sort() : value),
} as const;
export type Cleaner = keyof typeof CLEANERS;

/** Fields are named by dotted paths: `metadata.owner`. */
export interface ComparisonRules {
  /** What is compared; null: every field that either side has. */
  fields: readonly string[] | null;
  /** Fields (and all below them) that may differ. */
  ignore: readonly string[];
  clean: Readonly<Record<string, Cleaner>>;
  /** The field `timing` differs when the candidate takes more than `ratio` times as long, and `slackMs` on top; null: it is not compared. */
  timing: { ratio: number; slackMs: number } | null;
}

/** By who failed. */
export type Pair = 'both' | 'neither' | 'candidateOnly' | 'legacyOnly';

export interface Comparison {
  pair: Pair;
  /** The fields that differ, in order; `outcome` where only one side failed. */
  mismatches: string[];
}

export function compare(control: Observation, candidate: Observation, rules: ComparisonRules): Comparison {
  const pair = control.ok ? (candidate.ok ? 'neither' : 'candidateOnly') : candidate.ok ? 'legacyOnly' : 'both';
  const timing = isSlow(control, candidate, rules) ? ['timing'] : [];
  if (control.ok && candidate.ok) return { pair, mismatches: [...differing(control.result, candidate.result, rules), ...timing].sort() };
  if (control.ok || candidate.ok) return { pair, mismatches: ['outcome'] };
  return { pair, mismatches: control.code === candidate.code ? [] : ['code'] };
}

function isSlow(control: Observation, candidate: Observation, { timing }: ComparisonRules): boolean {
  return timing !== null && control.ok && candidate.ok && candidate.ms > control.ms * timing.ratio + timing.slackMs;
}

function differing(
  control: Record<string, JsonValue>,
  candidate: Record<string, JsonValue>,
  { fields, ignore, clean }: ComparisonRules,
): string[] {
  const [left, right] = [leaves(control, fields), leaves(candidate, fields)];
  const paths = fields ?? [...new Set([...left.keys(), ...right.keys()])];
  const ignored = (path: string) => ignore.some((each) => path === each || path.startsWith(`${each}.`));
  const cleaned = (path: string, value: JsonValue | undefined) => {
    const cleaner = Object.hasOwn(clean, path) ? clean[path] : undefined;
    return value === undefined || cleaner === undefined ? value : CLEANERS[cleaner](value);
  };
  return paths.filter((path) => !ignored(path) && !same(cleaned(path, left.get(path)), cleaned(path, right.get(path))));
}

/** Every field by its path; lists are compared as a whole. */
function leaves(result: Record<string, JsonValue>, fields: readonly string[] | null): Map<string, JsonValue> {
  const found = new Map<string, JsonValue>();
  const walk = (value: JsonValue, path: string): void => {
    const whole = typeof value !== 'object' || value === null || Array.isArray(value) || Object.keys(value).length === 0;
    if (path !== '' && (whole || fields?.includes(path))) found.set(path, value);
    if (!whole)
      for (const [key, below] of Object.entries(value as Record<string, JsonValue>)) walk(below, path === '' ? key : `${path}.${key}`);
  };
  walk(result, '');
  return found;
}

const same = (a: JsonValue | undefined, b: JsonValue | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && canonical(a) === canonical(b));

/** JSON with its keys in order. */
function canonical(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map((each) => canonical(each as JsonValue)).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, below]) => `${JSON.stringify(key)}:${canonical(below as JsonValue)}`).join()}}`;
}
