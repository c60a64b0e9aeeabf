import { addEnding, describeEnding, type EndingCopies } from '../domain/copy-age.ts';
import { addCounts, type SweepCount, type SweptPage } from '../domain/retention.ts';
import type { RetentionLedger } from '../ledger/retention-ledger.ts';

/** Copies that are looked at by one call. */
const LOOKED_AT_AT_ONCE = 1000;

/**
 * The limit on age: marks copies whose provider drops them soon, or has, and that nobody keeps, and tells of the others. By the ledger
 * alone: no provider is asked, and one that is not configured any more drops its files all the same.
 * @param share of their life from which on they go
 */
export async function markEnding(
  runId: string,
  share: number,
  signal: AbortSignal,
  retention: Pick<RetentionLedger, 'sweepEnding'>,
  dryRun: boolean,
): Promise<SweptPage> {
  let counts: SweepCount[] = [];
  let kept: EndingCopies[] = [];
  let after: string | null = null;
  do {
    const page: Awaited<ReturnType<RetentionLedger['sweepEnding']>> = await retention.sweepEnding(runId, share, after, LOOKED_AT_AT_ONCE);
    const outcome = dryRun ? 'planned' : 'done';
    counts = addCounts(counts, [{ action: 'mark', reason: 'quota', outcome, copies: page.copies, bytes: page.bytes }]);
    kept = addEnding(kept, page.kept);
    signal.throwIfAborted();
    after = page.next;
  } while (after !== null);
  return { next: null, counts, notes: kept.flatMap(describeEnding) };
}
