import { ValidationError } from './errors.ts';

/** How long each layer waits for the one inside it, from the inside out, in milliseconds. */
export interface TimeLimits {
  /** A small call to a provider. */
  toolMs: number;
  /** An activity attempt around it. */
  daemonMs: number;
  /** A facade that waits for a workflow. */
  shimMs: number;
  /** A caller of the CLI or of the API. */
  clientMs: number;
}

/** What kind of model a file is for, where the caller says so. */
export const MODEL_KINDS = ['standard', 'thinking', 'fast'] as const;
export type ModelKind = (typeof MODEL_KINDS)[number];

export type Multipliers = Readonly<Record<ModelKind, number>>;

/** @throws ValidationError `unknown_model`, which lists the kinds */
export function modelKindOf(given: string): ModelKind {
  const kind = MODEL_KINDS.find((known) => known === given);
  if (kind !== undefined) return kind;
  throw new ValidationError(`There is no kind of model ${JSON.stringify(given)}; there are: ${MODEL_KINDS.join(', ')}`, {
    code: 'unknown_model',
  });
}

/** All four layers, longer or shorter by the same factor, so that each still outlasts the one inside it. */
export function timeLimitsFor({ toolMs, daemonMs, shimMs, clientMs }: TimeLimits, multipliers: Multipliers, kind: ModelKind): TimeLimits {
  const factor = multipliers[modelKindOf(kind)];
  // To the microsecond: 0.7 has no exact form, and nobody wants to read 47249.99999999999.
  const times = (ms: number) => Math.round(ms * factor * 1000) / 1000;
  return { toolMs: times(toolMs), daemonMs: times(daemonMs), shimMs: times(shimMs), clientMs: times(clientMs) };
}
