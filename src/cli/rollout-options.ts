import { InvalidArgumentError, Option } from 'commander';

/** Parsers of what a rollout is started or judged again with. */

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `15m`, `1.5h`, `2d`; in ms. */
export function duration(text: string): number {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)\s*([smhd])$/.exec(text.trim()) ?? [];
  if (amount === undefined) throw new InvalidArgumentError('It must be a number and a unit: 90s, 15m, 1.5h or 2d.');
  return Number(amount) * (UNITS[unit] ?? 0);
}

export function share(text: string): number {
  const value = /^\d+(\.\d+)?%?$/.test(text.trim()) ? Number.parseFloat(text) : Number.NaN;
  if (!(value >= 0 && value <= 100)) throw new InvalidArgumentError(`It must be a share from 0 to 100, in per cent (${text} is not).`);
  return value;
}

export const shares = (text: string): number[] => (text.trim() === '' ? [] : text.split(',').map((each) => share(each.trim())));

export const collectShares = (text: string, before: readonly number[] = []): readonly number[] => [...before, share(text)];

/** A rate from 0 to 1, the ends left out. */
export function rate(text: string): number {
  const value = /^(0?\.\d+|0\.\d+e-\d+|\d+(\.\d+)?%)$/i.test(text.trim())
    ? text.trim().endsWith('%')
      ? Number.parseFloat(text) / 100
      : Number(text)
    : Number.NaN;
  if (!(value > 0 && value < 1)) throw new InvalidArgumentError('It must be above 0 and below 1, such as 0.05 or 5%.');
  return value;
}

export interface RuleOptions {
  threshold?: number;
  alpha?: number;
  minSamples?: number;
  onMismatch?: 'hold' | 'rollback';
  mismatchTolerance?: number;
}

export const ruleOptions = (): Option[] => [
  new Option('--threshold <rate>', 'share of failures of the candidate above which it is rolled back (0.05 or 5%)').argParser(rate),
  new Option('--alpha <rate>', 'false rollbacks that are accepted over the whole rollout').argParser(rate),
  new Option('--min-samples <n>', 'candidate operations before the threshold counts and a step passes').argParser((text) => {
    if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('It must be a whole number of 1 or more.');
    return Number(text);
  }),
  new Option('--on-mismatch <what>', 'what shadow comparisons that differ do').choices(['hold', 'rollback']),
  new Option('--mismatch-tolerance <rate>', 'share of comparisons that may differ').argParser(rate),
];

/** The rules that were named; the others stay what they are. */
export const rulesOf = ({ onMismatch, ...rules }: RuleOptions) => ({
  ...Object.fromEntries(
    Object.entries({
      threshold: rules.threshold,
      alpha: rules.alpha,
      minSamples: rules.minSamples,
      mismatchTolerance: rules.mismatchTolerance,
    }).filter(([, value]) => value !== undefined),
  ),
  ...(onMismatch === undefined ? {} : { onMismatch: onMismatch === 'rollback' ? ('roll_back' as const) : onMismatch }),
});
