import { cancellationSignal } from '@temporalio/activity';
import { type Client, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { messageOf, UploadError } from '../src/domain/errors.ts';
import type { FileOperationResult, MigrationItem } from '../src/domain/models.ts';
import type { Ledger } from '../src/ledger/ledger.ts';
import type { Provider } from '../src/providers/provider.ts';
import { type NewMigration, refuseMigration } from '../src/sources/refuse-migration.ts';
import type { Source, SourcePage } from '../src/sources/source.ts';
import type { MigrationSource } from '../workflows/contract.ts';
import { heartbeating } from './heartbeat.ts';
import { nextTurn, TURN_MS } from './turn.ts';

export interface MigrateActivitiesDependencies {
  ledger: Ledger;
  /** Throws ProviderNotFoundError. */
  provider: (name: string) => Provider;
  source: (source: MigrationSource) => Source;
  client: Client;
}

export function createMigrateActivities({ ledger, provider, source, client }: MigrateActivitiesDependencies) {
  return {
    /** Source, provider and ledger can be used now; else says what is wrong before anything is moved. Reads only. */
    async checkMigration(input: NewMigration): Promise<void> {
      await heartbeating(undefined, async () => {
        refuseMigration(input, provider);
        await source(input.source).check(cancellationSignal());
        await provider(input.provider).check(cancellationSignal());
        await ledger.check();
      });
    },

    /** Reads only. A folder is read from its start for each page: few large ones are cheap, many small ones are not. */
    async listFiles(from: MigrationSource, cursor: string | null, limit: number): Promise<SourcePage> {
      return await source(from).page(cursor, limit, cancellationSignal());
    },

    /**
     * Waits, turn by turn, for an upload that an earlier run of the migration started. Never cancels it: this activity also ends
     * when its worker stops or its run of the migration has continued as new.
     */
    async awaitUpload(workflowId: string): Promise<FileOperationResult> {
      const turn = AbortSignal.timeout(TURN_MS);
      const signal = AbortSignal.any([cancellationSignal(), turn]);
      const result = () => client.workflow.getHandle(workflowId).result() as Promise<FileOperationResult>;
      try {
        return await heartbeating(undefined, () => client.withAbortSignal(signal, result));
      } catch (error) {
        cancellationSignal().throwIfAborted();
        if (error instanceof WorkflowNotFoundError) throw lost('Temporal does not know it any more', error);
        if (!(error instanceof WorkflowFailedError)) throw turn.aborted ? nextTurn('The upload is under way') : error;
        if (error.cause instanceof ApplicationFailure) throw error.cause;
        if (error.cause instanceof CancelledFailure) throw new UploadError('The upload was cancelled', { code: 'cancelled', cause: error });
        throw lost(messageOf(error.cause ?? error), error);
      }
    },

    /** Idempotent by (migration, path). */
    async recordItems(migrationId: string, items: MigrationItem[]): Promise<void> {
      await ledger.recordMigrationItems(migrationId, items);
    },
  };
}

function lost(why: string, cause: Error): UploadError {
  return new UploadError(`The upload ended without a result: ${why}. Migrate again: what has arrived is not sent twice`, {
    code: 'upload_lost',
    cause,
  });
}
