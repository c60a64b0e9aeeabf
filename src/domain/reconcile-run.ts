import { addCounts, describePhase, type PagedRun, startPagedRun } from './paged-run.ts';
import { DISAGREEMENTS, type Disagreement } from './reconciliation.ts';

/** What a reconciliation looks at, and how. `runId` names its findings in the ledger. */
export interface ReconcileOrder {
  runId: string;
  /** What was written or changed within it is left alone. */
  graceSeconds: number;
  /** Whether each object is asked for its hash, where the provider knows one. */
  hashes: boolean;
  /** Whether objects that are not Cutover's are in the report, too. */
  foreign: boolean;
}

/** Objects are listed and looked up, then copies that no listing has shown are asked for one by one, then what was found is settled. */
export type ReconcileStep = 'objects' | 'copies' | 'settling';

const NONE = {
  ...{ objects: 0, agrees: 0, young: 0, awaitingPurge: 0, foreign: 0, aside: 0, hashed: 0 },
  ...{ lost: 0, unknown: 0, other_size: 0, other_hash: 0, purged: 0, stranded: 0 },
  ...{ invalidated: 0, moved: 0, left_to_retention: 0, left: 0, failed: 0 },
  ...{ staged: 0, deleted: 0 },
};
/** `hashed`: objects whose hash the provider told, too. `aside`: in the trash or staged. `staged`: of these, left over; `deleted`: and gone. */
export type ReconcileCounts = Record<keyof typeof NONE, number>;

export interface ReconcileState extends PagedRun {
  /** When it began, by the clock of the database; null until it was asked. */
  since: string | null;
  /** The provider that it is at, of those it was told; past the last one where all are through. */
  at: number;
  step: ReconcileStep;
  cursor: string | null;
  counts: ReconcileCounts;
  /** What was counted of Cutover's objects before the provider that it is at; absent where that is the first one. */
  before?: Pick<ReconcileCounts, 'objects' | 'unknown'>;
  /** Providers at which too many objects are unknown to be nobody's, by their place; absent: none. */
  doubtful?: readonly number[];
}

export interface ReconcilePage {
  counts: Partial<ReconcileCounts>;
  /** Where it goes on; null at the end of the step. */
  next: string | null;
}

export const startReconcile = (nowMs: number): ReconcileState => ({
  ...startPagedRun(nowMs),
  ...{ since: null, at: 0, step: 'objects', cursor: null, counts: NONE },
});

/** The state behind a page: further in the step, at the next step, at the next provider, or through. */
export function withReconcilePage(
  state: ReconcileState,
  { counts, next }: ReconcilePage,
  { providers, fix }: { providers: number; fix: boolean },
): ReconcileState {
  const counted = { ...state, counts: addCounts(state.counts, counts), pages: state.pages + 1, cursor: next };
  if (next !== null) return counted;
  if (state.step === 'objects') return { ...withDoubt(counted), step: 'copies' };
  if (state.step === 'copies' && state.at + 1 < providers) return { ...counted, step: 'objects', at: state.at + 1 };
  // Settled at the end, over all providers: what was found is on record before anything is touched.
  return state.step === 'copies' && fix
    ? { ...counted, step: 'settling', at: providers }
    : { ...counted, at: providers, step: 'settling', cursor: END };
}

/** Another ledger's objects are as unknown as those of a ledger that knows its bucket under another address: no object is moved for that. */
export const isDoubtful = ({ objects, unknown }: Pick<ReconcileCounts, 'objects' | 'unknown'>): boolean =>
  unknown > Math.max(DOUBTFUL.least, DOUBTFUL.share * objects);
const DOUBTFUL = { least: 10, share: 0.1 };

/** Behind the last page of what the provider lists. */
function withDoubt(state: ReconcileState): ReconcileState {
  const { counts, at, doubtful = [], before = { objects: 0, unknown: 0 } } = state;
  // What is not Cutover's says nothing of the ledger, however much of it there is.
  const ours = counts.objects - counts.foreign;
  const here = { objects: ours - before.objects, unknown: counts.unknown - before.unknown };
  return {
    ...state,
    before: { objects: ours, unknown: counts.unknown },
    ...(isDoubtful(here) ? { doubtful: [...doubtful, at] } : {}),
  };
}

/** No place in anything: a run that is through has no page left. */
const END = 'end';
export const isThrough = (state: ReconcileState): boolean => state.step === 'settling' && state.cursor === END;

export const disagreementsOf = (counts: ReconcileCounts): number => DISAGREEMENTS.reduce((sum, kind) => sum + counts[kind], 0);

/** How the six are called to people. */
export const KIND_WORDS: Readonly<Record<Disagreement, string>> = {
  lost: 'rows whose object is gone',
  unknown: 'objects that no row knows',
  other_size: 'objects of another size',
  other_hash: 'objects with another hash',
  purged: 'objects that live on after their purge',
  stranded: 'objects of uploads that failed',
};

/** What the Temporal UI shows while it runs, in Markdown. */
export function describeReconcile(state: ReconcileState, providers: readonly string[]): string {
  const { counts, step, at } = state;
  // A run that began before they were counted has none.
  const { staged = 0, deleted = 0 } = counts;
  const where = { objects: `listing ${providers[at]}`, copies: `looking for lost copies at ${providers[at]}`, settling: 'settling' }[step];
  const found = DISAGREEMENTS.filter((kind) => counts[kind] > 0).map((kind) => `- ${counts[kind]} ${KIND_WORDS[kind]}`);
  return [
    describePhase(state),
    ...(isThrough(state) ? [] : [where]),
    `${counts.objects} objects seen, ${counts.agrees} agree, ${disagreementsOf(counts)} disagreements`,
    ...found,
    ...(staged === 0 ? [] : [`${staged} staged objects left over, ${deleted} deleted`]),
    ...(counts.moved + counts.invalidated + counts.left_to_retention + counts.left + counts.failed === 0
      ? []
      : [
          `${counts.invalidated} rows invalidated, ${counts.moved} objects moved, ${counts.left_to_retention} left to retention, ${counts.left} left, ${counts.failed} failed`,
        ]),
  ].join('\n\n');
}
