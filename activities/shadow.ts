import { cancellationSignal } from '@temporalio/activity';
import type { FileSource } from '../src/domain/models.ts';
import type { ComparisonRecord } from '../src/ledger/rollout-ledger.ts';
import type { ShadowLedger } from '../src/ledger/shadow-ledger.ts';
import { emptyQuarantine, type QuarantineDependencies } from '../src/manager/quarantine.ts';

export interface ShadowActivitiesDependencies extends QuarantineDependencies {
  shadow: ShadowLedger;
}

/** What the workflow `shadow-comparison` is made of, beside the steps of an upload. */
export function createShadowActivities(dependencies: ShadowActivitiesDependencies) {
  return {
    /** Idempotent by tool and operation. */
    async recordComparison(comparison: ComparisonRecord, breaker: Parameters<ShadowLedger['recordComparison']>[1]): Promise<boolean> {
      return await dependencies.shadow.recordComparison(comparison, breaker);
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
