import { cancellationSignal } from '@temporalio/activity';
import { hasCode } from '../src/domain/errors.ts';
import { createOutcomeCounter, type Outcome } from '../src/domain/outcome-counts.ts';
import type { Ledger } from '../src/ledger/ledger.ts';
import type { MirrorLedger, UnifiedFile } from '../src/ledger/mirror-ledger.ts';
import type { RolloutLedger } from '../src/ledger/rollout-ledger.ts';
import { deleteFile } from '../src/manager/delete.ts';
import type { Provider } from '../src/providers/provider.ts';

export interface MirrorActivitiesDependencies {
  ledger: Ledger;
  mirrors: MirrorLedger;
  rollouts: RolloutLedger;
  /** Throws ProviderNotFoundError. */
  provider: (name: string) => Provider;
}

/** What `mirror` and `rehome` do at unified's side. */
export function createMirrorActivities({ ledger, mirrors, rollouts, provider }: MirrorActivitiesDependencies) {
  return {
    /** Idempotent. False when there is nothing to adopt (any more). */
    async adoptLate(late: Parameters<MirrorLedger['adoptLate']>[0]): Promise<boolean> {
      return await mirrors.adoptLate(late);
    },

    /** Gives up what unified holds for an upload that legacy answered and has deleted since: what is on hold goes after it. Idempotent. */
    async removeMirrors({ userId, id }: { userId: string | null; id: string }): Promise<void> {
      for (const { id: reference, fileId } of await mirrors.mirrorsOf(userId, id)) {
        const file = await ledger.file(fileId);
        const how = { reason: 'deleted by the application', purge: false, signal: cancellationSignal() };
        if (file === null) continue;
        try {
          await deleteFile(file, [reference], how, { ledger, provider });
        } catch (error) {
          if (!hasCode(error, 'legal_hold')) throw error;
          // The hold keeps the object; the reference would keep it for ever after.
          await ledger.deleteReference(reference);
        }
      }
    },

    /** Idempotent by the batch's id. */
    async recordMirrored(batchId: string, outcome: Outcome): Promise<void> {
      const counter = createOutcomeCounter();
      counter.add(outcome);
      await rollouts.recordOutcomes(batchId, counter.take());
    },

    /** Reads only. @param after the last reference of the page before */
    async listOnlyAtUnified(tool: string, since: string | null, after: string | null, limit: number): Promise<UnifiedFile[]> {
      return await mirrors.unifiedFiles(tool, { since, missingOnly: true, after, limit });
    },
  };
}
