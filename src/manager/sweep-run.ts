import { FileNotFoundError } from '../domain/errors.ts';
import type { SweepProgress } from '../domain/retention.ts';
import type { RetentionLedger, SweepRun } from '../ledger/retention-ledger.ts';

/** Enough to find a sweep that has just ended. */
const RECENT = 100;

/** A sweep that has ended, as it is on record; null where it was stopped so early that there is nothing to tell. @throws FileNotFoundError `sweep_not_found` */
export async function sweepRunOf(retention: Pick<RetentionLedger, 'sweeps'>, { runId, status }: SweepProgress): Promise<SweepRun | null> {
  const run = (await retention.sweeps(RECENT)).find(({ id }) => id === runId);
  if (run !== undefined) return run;
  if (status === 'stopped') return null;
  throw new FileNotFoundError(`The ledger has no sweep ${runId}: do the workers use the same Supabase as this command?`, {
    code: 'sweep_not_found',
  });
}
