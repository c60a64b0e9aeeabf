import { countOf, formatDuration } from './format.ts';

/** Copies at a provider that drops them soon, or has dropped them, and that a sweep leaves: somebody keeps them, or has just read them. */
export interface EndingCopies {
  provider: string;
  /** Those that are there still. */
  ending: number;
  /** Until the first of these goes, in ms; null: there is none. */
  firstEndsInMs: number | null;
  /** Those that are gone. None of their ids is handed out. */
  ended: number;
}

/** Put together by provider, in the order of their names. */
export function addEnding(...lists: readonly (readonly EndingCopies[])[]): EndingCopies[] {
  const sums = new Map<string, EndingCopies>();
  for (const { provider, ending, firstEndsInMs, ended } of lists.flat()) {
    const sum = sums.get(provider) ?? { provider, ending: 0, firstEndsInMs: null, ended: 0 };
    const ends = [sum.firstEndsInMs, firstEndsInMs].filter((ms) => ms !== null);
    sums.set(provider, {
      provider,
      ending: sum.ending + ending,
      firstEndsInMs: ends.length === 0 ? null : Math.min(...ends),
      ended: sum.ended + ended,
    });
  }
  return [...sums.values()].sort((a, b) => (a.provider < b.provider ? -1 : 1));
}

/** What a person should know of them: that they are not lost where another copy can be read. */
export function describeEnding({ provider, ending, firstEndsInMs, ended }: EndingCopies): string[] {
  const whose = 'that somebody keeps or has just read';
  const notes: string[] = [];
  if (ending > 0)
    notes.push(
      `${countOf(ending, 'copy', 'copies')} ${whose}, the first within ${formatDuration(firstEndsInMs ?? 0)}, will be dropped by ${provider}: ` +
        'what is needed longer is made again by `npx cutover ensure` with --lasting',
    );
  if (ended > 0)
    notes.push(
      `${countOf(ended, 'copy', 'copies')} ${whose} ${ended === 1 ? 'was' : 'were'} dropped by ${provider}: no such id is handed out any more; ` +
        'what is needed is made again by `npx cutover ensure`',
    );
  return notes;
}
