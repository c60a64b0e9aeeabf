/** Copying what only the candidate holds into legacy storage, as it is counted and told. */

export interface RehomeTotals {
  listed: number;
  copied: number;
  copiedBytes: number;
  /** Somebody else had copied them meanwhile. */
  there: number;
  /** Deleted between the listing and the copy. */
  gone: number;
  failed: number;
}

/** `done` may have failed files: see the totals. */
export interface RehomeState {
  phase: 'copying' | 'paused' | 'cancelling' | 'done' | 'cancelled';
  reason: string | null;
  totals: RehomeTotals;
  running: number;
  /** Where the listing goes on: the last reference of the page before. */
  cursor: string | null;
  exhausted: boolean;
  startedAtMs: number;
  updatedAtMs: number;
  runs: number;
  /** The first few, for people; what failed has no copy in the ledger. */
  failures: { fileId: string; name: string; error: string }[];
}

/** How one file ended. */
export type Rehomed =
  | { outcome: 'copied' | 'there' | 'gone'; sizeBytes: number }
  | { outcome: 'failed'; fileId: string; name: string; error: string };

const FAILURES_SHOWN = 5;

export const startRehome = (nowMs: number): RehomeState => ({
  phase: 'copying',
  reason: null,
  totals: { listed: 0, copied: 0, copiedBytes: 0, there: 0, gone: 0, failed: 0 },
  running: 0,
  ...{ cursor: null, exhausted: false },
  ...{ startedAtMs: nowMs, updatedAtMs: nowMs, runs: 1 },
  failures: [],
});

export function withRehomed(state: RehomeState, file: Rehomed): RehomeState {
  const totals = { ...state.totals, [file.outcome]: state.totals[file.outcome] + 1 };
  if (file.outcome === 'copied') totals.copiedBytes += file.sizeBytes;
  if (file.outcome !== 'failed' || state.failures.length >= FAILURES_SHOWN) return { ...state, totals };
  const { fileId, name, error } = file;
  return { ...state, totals, failures: [...state.failures, { fileId, name, error }] };
}

export const rehomed = ({ copied, there, gone, failed }: RehomeTotals): number => copied + there + gone + failed;

/** What the Temporal UI shows while it runs, in Markdown. */
export function describeRehome(tool: string, { phase, reason, totals, exhausted, running, failures }: RehomeState): string {
  const lines = [
    `**${phase}**${reason === null ? '' : `: ${reason}`}: files of ${tool} that only unified holds go to legacy`,
    `${rehomed(totals)} of ${totals.listed}${exhausted ? '' : ' listed so far'} done, ${running} running`,
    `${totals.copied} copied (${totals.copiedBytes} bytes), ${totals.there} there already, ${totals.gone} deleted meanwhile, ${totals.failed} failed`,
    ...failures.map(({ fileId, error }) => `- ${fileId}: ${error}`),
  ];
  return lines.join('\n\n');
}
