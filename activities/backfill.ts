import { cancellationSignal } from '@temporalio/activity';
import type { BackfillOrder, BackfillPage } from '../src/domain/backfill-run.ts';
import { type BackfillDependencies, createBackfiller } from '../src/manager/backfill.ts';
import { heartbeating } from './heartbeat.ts';

export type BackfillActivitiesDependencies = BackfillDependencies;

/** What the workflow `hash-backfill` is made of. */
export function createBackfillActivities(dependencies: BackfillActivitiesDependencies) {
  const backfiller = createBackfiller(dependencies);
  return {
    /** Reads only. How many files have a hash now. */
    beginBackfill: (order: BackfillOrder) => heartbeating(undefined, () => backfiller.check(order)),

    /** Reads and records a batch. A second attempt goes on behind what the first one recorded; a dry run begins the batch again. */
    async hashBatch(after: string | null, order: BackfillOrder): Promise<BackfillPage> {
      const details = { files: 0, bytes: 0 };
      const onProgress = (files: number, bytes: number) => Object.assign(details, { files, bytes });
      return await heartbeating(details, () => backfiller.batch(after, order, { signal: cancellationSignal(), onProgress }));
    },
  };
}
