import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { CancellationScope, condition, isCancellation, ParentClosePolicy, proxyActivities, startChild } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { FileManagementError } from '../src/domain/errors.ts';
import type { CarriedUpload } from '../src/domain/migration.ts';
import { arrivedItem, cancelledItem, failedItem, problemItem, type SourceItem } from '../src/domain/migration-item.ts';
import type { FileOperationResult, FileSource, MigrationItem } from '../src/domain/models.ts';
import { WAIT } from './activity-options.ts';
import { type MigrateInput, PROVIDER, type UploadInput, uploadWorkflowId } from './contract.ts';
import { fromFailure } from './failures.ts';
import { upload } from './upload.ts';

const waiting = proxyActivities<Activities>(WAIT);

/** The uploads of a migration that are under way at once, each a child workflow. `onEnd` gets one item for each, however it ended. */
export function uploadWindow(input: MigrateInput, onEnd: (item: MigrationItem) => void) {
  const scope = new CancellationScope();
  const running = new Map<string, CarriedUpload>();

  const watch = (file: CarriedUpload, result: Promise<FileOperationResult>) => {
    running.set(file.workflowId, file);
    const end = (item: MigrationItem) => {
      running.delete(file.workflowId);
      onEnd(item);
    };
    result.then(
      (arrived) => end(arrivedItem(file, arrived)),
      (error: unknown) => end(isCancelled(error) ? cancelledItem(file) : failedItem(file, fromFailure(error))),
    );
  };

  return {
    get size(): number {
      return running.size;
    },
    get running(): CarriedUpload[] {
      return [...running.values()];
    },
    /** False when some are still running after the timeout. */
    async drained(timeout?: string): Promise<boolean> {
      const empty = () => running.size === 0;
      if (timeout !== undefined) return await condition(empty, timeout);
      await condition(empty);
      return true;
    },
    cancel: () => scope.cancel(),

    /** Waits for an upload that an earlier run, or an earlier migration of the same id, has started. */
    adopt(file: CarriedUpload): void {
      watch(
        file,
        scope.run(() => waiting.awaitUpload(file.workflowId)),
      );
    },

    async start(file: SourceItem): Promise<void> {
      const { source, path, sizeBytes } = file;
      if (source === null) return onEnd(problemItem(file));
      const args = uploadInput(input, file, source);
      const workflowId = uploadWorkflowId(args.idempotencyKey);
      const carried = { workflowId, path, sizeBytes };
      try {
        const child = await scope.run(() =>
          startChild(upload, {
            workflowId,
            // A migration that continues as new, or is terminated, leaves its uploads to end by themselves.
            parentClosePolicy: ParentClosePolicy.ABANDON,
            staticSummary: path.slice(0, 200),
            typedSearchAttributes: [{ key: PROVIDER, value: input.provider }],
            args: [args],
          }),
        );
        watch(carried, child.result());
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
        this.adopt(carried);
      }
    },
  };
}

function uploadInput({ migrationId, provider, verify, settings }: MigrateInput, file: SourceItem, source: FileSource): UploadInput {
  return {
    idempotencyKey: `${migrationId}:${file.key}`,
    source,
    provider,
    namespace: 'live',
    // Migrated files are kept: retention must not take what nobody has asked it to.
    reference: {
      name: file.path,
      tool: 'migrate',
      userId: null,
      purpose: 'storage',
      context: null,
      tags: [],
      keep: 'keep',
      ...file.reference,
    },
    verify,
    onDuplicate: 'reuse',
    settings,
  };
}

/** Cancelled here, or (for an upload that an earlier run started) told so by its own end. */
function isCancelled(error: unknown): boolean {
  const ours = fromFailure(error);
  return isCancellation(error) || (ours instanceof FileManagementError && ours.code === 'cancelled');
}
