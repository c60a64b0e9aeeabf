import { cancellationSignal } from '@temporalio/activity';
import type { FileSource } from '../src/domain/models.ts';
import type { ComparisonRecord } from '../src/ledger/rollout-ledger.ts';
import type { ShadowLedger } from '../src/ledger/shadow-ledger.ts';
import { emptyQuarantine, type QuarantineDependencies } from '../src/manager/quarantine.ts';

export interface ShadowActivitiesDependencies extends QuarantineDependencies {
  shadow: ShadowLedger;
  /** Told of each comparison that was recorded. */
  onCompared?: (compared: {
    tool: string;
    result: 'match' | 'mismatch' | 'candidate_failed' | 'legacy_failed' | 'both_failed';
    fields: readonly string[];
  }) => void;
}
const FAILED = { candidateOnly: 'candidate_failed', legacyOnly: 'legacy_failed', both: 'both_failed' } as const;

/** What the workflow `shadow-comparison` is made of, beside the steps of an upload. */
export function createShadowActivities(dependencies: ShadowActivitiesDependencies) {
  return {
    /** Idempotent by tool and operation. */
    async recordComparison(comparison: ComparisonRecord, breaker: Parameters<ShadowLedger['recordComparison']>[1]): Promise<boolean> {
      const recorded = await dependencies.shadow.recordComparison(comparison, breaker);
      const { tool, pair, mismatches } = comparison;
      const result = pair === 'neither' ? (mismatches.length === 0 ? 'match' : 'mismatch') : FAILED[pair];
      if (recorded) dependencies.onCompared?.({ tool, result, fields: pair === 'neither' ? mismatches : [] });
      return recorded;
    },

    /** Reads only. */
    async isSourceThere(source: FileSource): Promise<boolean> {
      return source.kind !== 'object' || (await dependencies.provider(source.provider).info(source.id, cancellationSignal())) !== null;
    },

    /** Idempotent. @returns copies that were there */
    async emptyQuarantine(idempotencyKey: string): Promise<number> {
      return await emptyQuarantine(idempotencyKey, cancellationSignal(), dependencies);
    },
  };
}
