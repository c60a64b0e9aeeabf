import { cancellationSignal } from '@temporalio/activity';
import { type Client, WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { messageOf, UploadError } from '../src/domain/errors.ts';
import type { FileOperationResult, MigrationItem } from '../src/domain/models.ts';
import type { Ledger } from '../src/ledger/ledger.ts';
import type { Provider } from '../src/providers/provider.ts';
import type { Source, SourcePage } from '../src/sources/source.ts';
import type { MigrateInput, MigrationSource } from '../workflows/contract.ts';
import { heartbeating } from './heartbeat.ts';

export interface MigrateActivitiesDependencies {
  ledger: Ledger;
  /** Throws ProviderNotFoundError. */
  provider: (name: string) => Provider;
  source: (source: MigrationSource) => Source;
  client: Client;
}

/** Files on one page: their names must fit into a payload of 2 MB even where each has 4,096 bytes. */
const PAGE = 100;

export function createMigrateActivities({ ledger, provider, source, client }: MigrateActivitiesDependencies) {
  return {
    /** Source, provider and ledger can be used now; else says what is wrong before anything is moved. Reads only. */
    async checkMigration(input: Pick<MigrateInput, 'source' | 'provider'>): Promise<void> {
      await heartbeating(undefined, async () => {
        await source(input.source).check();
        await provider(input.provider).check(cancellationSignal());
        await ledger.check();
      });
    },

    /** Reads only. */
    async listFiles(from: MigrationSource, cursor: string | null): Promise<SourcePage> {
      return await source(from).page(cursor, PAGE);
    },

    /** Waits for an upload that an earlier run of the migration started. Cancelling this cancels the upload. */
    async awaitUpload(workflowId: string): Promise<FileOperationResult> {
      const handle = client.workflow.getHandle(workflowId);
      const signal = cancellationSignal();
      const cancel = () => void handle.cancel().catch(() => undefined);
      signal.addEventListener('abort', cancel, { once: true });
      try {
        return await heartbeating(undefined, () => handle.result() as Promise<FileOperationResult>);
      } catch (error) {
        if (!(error instanceof WorkflowFailedError)) throw error;
        if (error.cause instanceof ApplicationFailure) throw error.cause;
        throw new UploadError(`The upload ended without a result: ${messageOf(error.cause ?? error)}`, {
          code: error.cause instanceof CancelledFailure ? 'cancelled' : 'upload_lost',
        });
      } finally {
        signal.removeEventListener('abort', cancel);
      }
    },

    /** Idempotent by (migration, path). */
    async recordItems(migrationId: string, items: MigrationItem[]): Promise<void> {
      await ledger.recordMigrationItems(migrationId, items);
    },
  };
}
