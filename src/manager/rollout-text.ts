import { formatDuration, printable } from '../domain/format.ts';
import type { Opinion } from '../domain/judge.ts';
import { type RolloutState, recordedStatus } from '../domain/rollout.ts';
import type { RolloutEvent, RolloutRecord } from '../ledger/rollout-ledger.ts';
import { isOver } from './rollouts.ts';

/** How rollouts are shown to people. */

/** What a running rollout says of itself. */
export interface RolloutNews {
  state: RolloutState;
  /** Evaluations so far. */
  looks: number;
  nextEvaluationMs: number | null;
  /** Why the evidence could not be read at the last look; null: it could. */
  trouble: string | null;
}

/** `10 %, step 2 of 3, running`. */
export function rolloutLine(record: Pick<RolloutRecord, 'share' | 'step' | 'steps' | 'status' | 'stage'>): string {
  const step = record.steps.length === 0 ? '' : `, step ${record.step + 1} of ${record.steps.length}`;
  return `${record.share} %${step}, ${words(record.status)}${record.stage === 'live' ? '' : ` (stage ${words(record.stage)})`}`;
}

/** The same, and why it is over where it is. */
export const statusLine = (record: RolloutRecord): string =>
  `${rolloutLine(record)}${isOver(record) && record.reason !== null ? `: ${record.reason}` : ''}`;

export function progressLines({ state, nextEvaluationMs, trouble, looks }: RolloutNews, nowMs: number): string[] {
  const pauses = state.pauses.length === 0 ? [] : [`  paused: ${state.pauses.map(printable).join(', ')}`];
  const next = nextEvaluationMs === null ? '' : `; the next in ${formatDuration(Math.max(0, nextEvaluationMs - nowMs))}`;
  return [
    ...pauses,
    ...(trouble === null ? [] : [`  the evidence cannot be read, so it holds: ${printable(trouble)}`]),
    ...(state.judgement?.opinions ?? []).map((opinion) => `  ${opinionLine(opinion)}`),
    `  verdict ${words(state.judgement?.verdict ?? 'none yet')} after ${looks} evaluations${next}`,
    ...(recordedStatus(state) === 'awaiting_approval' ? ['  waits for: npx cutover rollout promote'] : []),
  ];
}

export function opinionLine({ test, says, why, value, limit }: Opinion): string {
  const figures = value === null ? '' : ` [${figure(value)} of ${figure(limit)}]`;
  return `${words(test).padEnd(12)}  ${words(says).padEnd(9)}  ${printable(why)}${figures}`;
}

/** Holds in a row of one step are one row, with what held it last: what a step still waits for changes often, and `--json` has each. */
export function historyRows(events: readonly RolloutEvent[]): string[][] {
  const shown: { event: RolloutEvent; holds: number }[] = [];
  for (const event of events) {
    const before = shown.at(-1);
    if (before !== undefined && [before.event, event].every(isHold) && before.event.step === event.step) {
      before.holds += 1;
      before.event = { ...event, at: before.event.at };
    } else shown.push({ event, holds: 1 });
  }
  return shown.map(({ event, holds }) => eventRow(holds === 1 ? event : { ...event, reason: `${event.reason} (the last of ${holds})` }));
}

const isHold = ({ decision }: RolloutEvent): boolean => decision === 'held';

/** When, what, by whom, from where to where, why. */
export function eventRow({ at, decision, decidedBy, shareBefore, shareAfter, step, reason }: RolloutEvent): string[] {
  const change = shareBefore === shareAfter ? `${shareAfter ?? '–'} %` : `${shareBefore ?? '–'} → ${shareAfter ?? '–'} %`;
  return [at.replace(/\.\d+/, ''), words(decision), decidedBy, change, step === null ? '–' : String(step + 1), reason];
}

const words = (name: string): string => name.replaceAll('_', ' ');
const figure = (value: number): string => (Number.isFinite(value) ? String(Number(value.toPrecision(3))) : '∞');
