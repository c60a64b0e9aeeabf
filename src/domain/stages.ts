import { formatDuration } from './format.ts';
import { STAGES, type Stage } from './routing.ts';

/** Whether a tool may move from one stage to the next: one at a time, forwards when the evidence is there, backwards always. */

/** What was seen in the stage that a tool is in. */
export interface SeenInStage {
  stage: Stage;
  /** Per cent of users whom unified serves in the stage `live`. */
  share: number;
  /** Names of the switches that are off. */
  switchesOff: readonly string[];
  /** A ramp of the tool is under way. */
  rolloutRuns: boolean;
  /** Uploads that legacy answered. */
  answered: number;
  /** Uploads of the candidate: of its own in `live`, of mirrors in `dual_write`. */
  candidate: { operations: number; failures: number };
  mirrors: { running: number; failed: number };
  /** Shadow comparisons by who failed, and those of which both results were there. */
  comparisons: { total: number; candidateOnly: number; compared: number; differing: number };
  /** How long legacy has served nothing, in ms; null: for longer than counts. */
  legacyQuietMs: number | null;
  /** Uploads of this stage that only unified holds; counted up to a bound. */
  onlyAtUnified: number;
}

export interface StageRules {
  /** Mirrored uploads before a tool leaves `dual_write`. */
  minSamples: number;
  /** Failures ÷ operations, 0 to 1. */
  threshold: number;
  /** Comparisons before a tool leaves `shadow`. */
  minComparisons: number;
  shadowThreshold: number;
  /** Share of comparisons that may differ, 0 to 1. */
  mismatchTolerance: number;
  /** How long legacy must have served nothing before it is written no more, in ms. */
  quietForMs: number;
}

/** Null after the last one. */
export const stageAfter = (stage: Stage): Stage | null => STAGES[STAGES.indexOf(stage) + 1] ?? null;
export const stageBefore = (stage: Stage): Stage | null => STAGES[STAGES.indexOf(stage) - 1] ?? null;

export type StageMove =
  | { allowed: true; forwards: boolean }
  /** `forcible`: what is missing is evidence, which a person may do without. */
  | { allowed: false; forcible: boolean; reasons: string[] };

export function decideMove(seen: SeenInStage, next: Stage, rules: StageRules): StageMove {
  const refused = (reason: string): StageMove => ({ allowed: false, forcible: false, reasons: [reason] });
  const { stage } = seen;
  if (next === stage) return refused(`it is in the stage ${words(stage)} already`);
  const forwards = next === stageAfter(stage);
  if (!forwards && next !== stageBefore(stage)) {
    const neighbours = [stageBefore(stage), stageAfter(stage)].filter((each) => each !== null);
    return refused(`stages move one at a time: from ${words(stage)} to ${neighbours.map(words).join(' or ')}`);
  }
  if (seen.rolloutRuns) return refused('a rollout of it is under way: end it first (promote, rollback)');
  if (!forwards) return { allowed: true, forwards };
  const { switchesOff } = seen;
  if (stage === 'off' && switchesOff.length > 0)
    return refused(`${switchesOff.join(' and ')} ${switchesOff.length === 1 ? 'is' : 'are'} off, so unified would get nothing`);
  const reasons = missingEvidence(seen, rules);
  return reasons.length === 0 ? { allowed: true, forwards } : { allowed: false, forcible: true, reasons };
}

/** What the next stage still needs, for people; empty: nothing. */
export function missingEvidence(seen: SeenInStage, rules: StageRules): string[] {
  switch (seen.stage) {
    case 'dual_write':
      return [...mirrored(seen, rules), ...agreed(seen)];
    case 'shadow':
      return compared(seen, rules);
    case 'live':
      return seen.share >= 100 ? [] : [`unified serves ${seen.share} % of users: bring it to 100 % by a rollout`];
    case 'ramp_down':
      return [...quiet(seen, rules), ...agreed(seen), ...onBothSides(seen)];
    default:
      return [];
  }
}

function mirrored({ candidate, answered, mirrors }: SeenInStage, { minSamples, threshold }: StageRules): string[] {
  // What legacy answered and no mirror tells of has failed, too.
  const lost = Math.max(0, answered - candidate.operations - mirrors.running);
  const failures = candidate.failures + lost;
  const operations = candidate.operations + lost;
  return [
    ...(candidate.operations < minSamples ? [`${candidate.operations} of ${minSamples} mirrored uploads`] : []),
    ...(operations > 0 && failures / operations > threshold
      ? [
          `${failures} of ${operations} uploads failed at unified at first (${percent(failures / operations)}, at most ${percent(threshold)})`,
        ]
      : []),
  ];
}

function agreed({ mirrors: { running, failed } }: SeenInStage): string[] {
  return [
    ...(running > 0 ? [`${running} files are not on both sides yet: their mirrors are under way`] : []),
    ...(failed > 0 ? [`${failed} mirrors were given up: look at the workflows \`mirror\` of this tool`] : []),
  ];
}

function compared({ comparisons }: SeenInStage, { minComparisons, shadowThreshold, mismatchTolerance }: StageRules): string[] {
  const { total, candidateOnly, compared: both, differing } = comparisons;
  return [
    ...(total < minComparisons ? [`${total} of ${minComparisons} shadow comparisons`] : []),
    ...(total > 0 && candidateOnly / total > shadowThreshold
      ? [`in ${candidateOnly} of ${total} comparisons the candidate alone failed (at most ${percent(shadowThreshold)})`]
      : []),
    ...(both > 0 && differing / both > mismatchTolerance
      ? [`${differing} of ${both} comparisons differ (at most ${percent(mismatchTolerance)}): npx cutover shadow report`]
      : []),
  ];
}

function quiet({ legacyQuietMs }: SeenInStage, { quietForMs }: StageRules): string[] {
  if (legacyQuietMs === null || legacyQuietMs >= quietForMs) return [];
  return [`legacy served something ${formatDuration(legacyQuietMs)} ago: it must have been quiet for ${formatDuration(quietForMs)}`];
}

function onBothSides({ onlyAtUnified }: SeenInStage): string[] {
  return onlyAtUnified === 0 ? [] : [`${onlyAtUnified} files of this stage are only at unified: npx cutover rollout files`];
}

/** What is in force in the new stage besides itself. */
export function shareIn(seen: Pick<SeenInStage, 'stage' | 'share'>, next: Stage): number {
  // Who enters `live` from below begins with nobody; who comes back from above keeps what was served.
  return next === 'live' && seen.stage === 'shadow' ? 0 : next === 'ramp_down' || next === 'live' || next === 'complete' ? seen.share : 0;
}

/** Stages in which legacy answers everything, so that there is nothing to take back. */
export const isLegacyAlone = (stage: Stage): boolean => stage === 'off' || stage === 'dual_write' || stage === 'shadow';

/** Null: a rollout may start. */
export function refusalOfRollout(tool: string, stage: Stage): string | null {
  if (stage === 'off' || stage === 'shadow' || stage === 'live') return null;
  const back = stage === 'dual_write' ? 'shadow' : 'live';
  const why = stage === 'dual_write' ? 'legacy answers everything' : 'unified answers everything';
  return `${tool} is in the stage ${words(stage)}, in which ${why} whatever the share: move it first (npx cutover rollout stage ${tool} ${stage === 'complete' ? 'ramp_down, then live' : back})`;
}

export const words = (stage: Stage): string => stage.replace('_', ' ');
const percent = (rate: number): string => `${Number((rate * 100).toPrecision(3))} %`;
