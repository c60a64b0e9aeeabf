import { formatDuration, printable } from '../domain/format.ts';
import type { ShadowSettings } from '../domain/shadow.ts';
import type { ShadowReport } from '../ledger/rollout-ledger.ts';

const PAIRS = { neither: 'both did it', both: 'both failed', candidateOnly: 'only the candidate failed', legacyOnly: 'only legacy failed' };

/** A report of shadow comparisons for people. */
export function reportLines(tool: string, { comparisons, matched, withNoise, pairs, fields, examples, timingMs }: ShadowReport): string[] {
  if (comparisons === 0) return [`${tool}: nothing was compared`];
  const percent = (count: number, of: number) => `${((100 * count) / of).toFixed(1)} %`;
  const ms = (values: number[] | null) => (values === null ? '–' : values.map((value) => `${Math.round(value)} ms`.padStart(9)).join(''));
  return [
    `${tool}: ${comparisons} comparisons, ${matched} alike (${percent(matched, comparisons)})`,
    ...Object.entries(PAIRS).flatMap(([pair, words]) => {
      const count = pairs[pair as keyof typeof PAIRS] ?? 0;
      return count === 0 ? [] : [`  ${words.padEnd(26)} ${String(count).padStart(7)}`];
    }),
    ...(fields.length === 0 ? [] : ['differing']),
    ...fields.map(
      ({ field, differing, noise }) =>
        `  ${printable(field).padEnd(26)} ${String(differing).padStart(7)}  ${percent(differing, comparisons)}${
          withNoise === 0 ? '' : `, by chance ${percent(noise, withNoise)}`
        }`,
    ),
    `time${''.padEnd(13)}median      95 %      99 %`,
    `  control     ${ms(timingMs.control)}`,
    `  candidate   ${ms(timingMs.candidate)}`,
    ...(examples.length === 0 ? [] : ['examples']),
    ...examples.map((example) => `  ${printable(JSON.stringify(exampleOf(example)))}`),
  ];
}

const exampleOf = ({ operation_id, mismatches, control, candidate, created_at }: ShadowReport['examples'][number]) => ({
  at: created_at,
  operation: operation_id,
  mismatches,
  control,
  candidate,
});

/** What is compared, for people. */
export function settingsLine(settings: ShadowSettings): string {
  if (!settings.enabled) return 'nothing is compared';
  const until = settings.durationMs === 0 ? '' : `, for ${formatDuration(settings.durationMs)}`;
  const noise = settings.controlRuns ? ', with a second run of the old path' : '';
  return `${Number((settings.sampleRate * 100).toPrecision(4))} % of uploads are compared, at most ${settings.maxSamplesPerMinute} a minute${until}${noise}`;
}
