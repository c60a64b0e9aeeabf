import type { ComparisonRules, JsonValue, Observation } from './comparison.ts';

/** When and how operations are compared: first values from the configuration, changed by operators while things run. */
export interface ShadowSettings {
  enabled: boolean;
  /** Share of operations, 0 to 1. */
  sampleRate: number;
  /** Of all processes together. */
  maxSamplesPerMinute: number;
  /** Failures of the candidate alone ÷ comparisons above which shadowing rests for `cooldownMs`, once there are `minSamples`. */
  errorThreshold: number;
  minSamples: number;
  cooldownMs: number;
  /** 0: no end. */
  durationMs: number;
  /** Whether the candidate's time is compared. */
  includeTiming: boolean;
  /** How long the candidate may take, in ms. */
  candidateTimeoutMs: number;
  /** Whether the control runs a second time, so that what differs by chance alone is known. */
  controlRuns: boolean;
  /** Fields that may differ. */
  ignore: readonly string[];
}

/** What an operator has set for a tool; what is absent is the configuration's. Kept as JSON under `shadowKey`. */
export type ShadowOverrides = Partial<
  Pick<
    ShadowSettings,
    'enabled' | 'sampleRate' | 'maxSamplesPerMinute' | 'errorThreshold' | 'minSamples' | 'cooldownMs' | 'durationMs' | 'controlRuns'
  >
> & {
  /** When it was started, ISO 8601: its duration counts from here. */
  startedAt?: string;
};

export const shadowKey = (tool: string): string => `shadow.${tool}`;

const NUMBERS: Readonly<Record<string, readonly [min: number, max: number]>> = {
  sampleRate: [0, 1],
  maxSamplesPerMinute: [1, 1_000_000],
  errorThreshold: [0, 1],
  minSamples: [1, 1_000_000],
  cooldownMs: [0, 525_600 * 60_000],
  durationMs: [0, 525_600 * 60_000],
};

/** What of an operator's setting can be meant; everything else in it is passed over, because it is read on the way of every upload. */
export function overridesOf(setting: unknown): ShadowOverrides {
  if (typeof setting !== 'object' || setting === null) return {};
  const values = Object.entries(setting).filter(([name, value]) => {
    if (name === 'enabled' || name === 'controlRuns') return typeof value === 'boolean';
    if (name === 'startedAt') return typeof value === 'string' && !Number.isNaN(Date.parse(value));
    const range = Object.hasOwn(NUMBERS, name) ? NUMBERS[name] : undefined;
    return range !== undefined && typeof value === 'number' && value >= range[0] && value <= range[1];
  });
  return Object.fromEntries(values);
}

/** In force now. In the stage `shadow` operations are compared unless an operator has stopped it. */
export function shadowInForce(defaults: ShadowSettings, { startedAt: _, ...overrides }: ShadowOverrides, stage: string): ShadowSettings {
  return { ...defaults, ...overrides, enabled: overrides.enabled ?? (defaults.enabled || stage === 'shadow') };
}

/** Slower than this is a difference: twice as long, and what a durable workflow and its queue may take on top. */
const TIMING = { ratio: 2, slackMs: 5_000 } as const;

/** The id is each side's own, and a MIME type's parameters say nothing of the file. */
export const rulesOf = ({ includeTiming, ignore }: Pick<ShadowSettings, 'includeTiming' | 'ignore'>): ComparisonRules => ({
  fields: null,
  ignore: ['id', ...ignore],
  clean: { mimeType: 'essence' },
  timing: includeTiming ? TIMING : null,
});

/** What is compared of a stored file. */
export const observedFile = ({ name, sizeBytes, mimeType, sha256 }: StoredFacts): Record<string, JsonValue> => ({
  ...{ name, sizeBytes, mimeType, sha256 },
});
interface StoredFacts {
  name: string;
  sizeBytes: number;
  mimeType: string | null;
  sha256: string | null;
}

/** The order in which the candidate and a second control run begin: by chance, so that neither always finds the caches warm. */
export const candidateFirst = (random: number): boolean => random < 0.5;

/** Both without their hashes where one side does not tell its own, as legacy seldom does. */
export function comparable(control: Observation, candidate: Observation): { control: Observation; candidate: Observation } {
  const both = control.ok && candidate.ok && typeof control.result.sha256 === 'string' && typeof candidate.result.sha256 === 'string';
  return both ? { control, candidate } : { control: withoutHash(control), candidate: withoutHash(candidate) };
}

function withoutHash(observation: Observation): Observation {
  if (!observation.ok) return observation;
  const { sha256: _, ...result } = observation.result;
  return { ...observation, result };
}
