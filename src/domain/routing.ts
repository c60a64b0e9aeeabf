import { type Bucketer, isCovered } from './bucketing.ts';

/** Which sides act for a tool; its share says for whom. They follow one another in this order. */
export const STAGES = ['off', 'dual_write', 'shadow', 'live', 'ramp_down', 'complete'] as const;
export type Stage = (typeof STAGES)[number];

export type Arm = 'legacy' | 'unified';

/** What is in force for a tool now. */
export interface Routing {
  /** ENABLE_UNIFIED_MANAGER. */
  master: boolean;
  /** ENABLE_<TOOL>_MIGRATION. */
  tool: boolean;
  stage: Stage;
  /** Per cent of users whom unified serves in the stage `live`. */
  share: number;
}

/** `reason` in OpenFeature's words: DISABLED by a switch, STATIC by the stage or a share of 0 or 100, SPLIT by the share. */
export interface Route {
  /** Whose answer counts. */
  arm: Arm;
  /** The other side writes, too: a failure there is repaired, and never told to the caller. */
  writesBoth: boolean;
  /** The candidate may be compared on a sample. */
  compares: boolean;
  reason: 'DISABLED' | 'STATIC' | 'SPLIT';
}

/**
 * @param user null: a request without one, for which `random` (0 to 1) decides
 * @param bucketer of the tool's flag
 */
export function routeOf({ master, tool, stage, share }: Routing, user: string | null, bucketer: Bucketer, random: () => number): Route {
  if (!master || !tool) return LEGACY_BY_SWITCH;
  if (stage !== 'live') return BY_STAGE[stage];
  if (share <= 0) return LIVE_LEGACY;
  if (share >= 100) return LIVE_UNIFIED;
  const covered = user === null ? random() * 100 < share : isCovered(bucketer(user), share);
  return covered ? SPLIT_UNIFIED : SPLIT_LEGACY;
}

const route = (arm: Arm, reason: Route['reason'], { writesBoth = false, compares = false } = {}): Route =>
  Object.freeze({ arm, reason, writesBoth, compares });

// Made once: the decision allocates nothing.
const LEGACY_BY_SWITCH = route('legacy', 'DISABLED');
const LIVE_LEGACY = route('legacy', 'STATIC', { compares: true });
const LIVE_UNIFIED = route('unified', 'STATIC');
const SPLIT_LEGACY = route('legacy', 'SPLIT', { compares: true });
const SPLIT_UNIFIED = route('unified', 'SPLIT');
const BY_STAGE: Readonly<Record<Exclude<Stage, 'live'>, Route>> = {
  off: route('legacy', 'STATIC'),
  dual_write: route('legacy', 'STATIC', { writesBoth: true }),
  shadow: route('legacy', 'STATIC', { compares: true }),
  ramp_down: route('unified', 'STATIC', { writesBoth: true }),
  complete: route('unified', 'STATIC'),
};
