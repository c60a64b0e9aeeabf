import { type Duration, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  CancellationScope,
  condition,
  getExternalWorkflowHandle,
  isCancellation,
  ParentClosePolicy,
  proxyActivities,
  startChild,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { FileManagementError } from '../src/domain/errors.ts';
import type { CarriedUpload } from '../src/domain/migration.ts';
import { arrivedItem, cancelledItem, failedItem, originOf, problemItem, type SourceItem } from '../src/domain/migration-item.ts';
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
  /** Uploads that are no children of this run: they are waited for by an activity, and cancelled by name. */
  const adopted = new Set<string>();
  let starting = 0;

  const watch = (file: CarriedUpload, upload: () => Promise<FileOperationResult>) => {
    running.set(file.workflowId, file);
    const end = (item: MigrationItem) => {
      running.delete(file.workflowId);
      onEnd(item);
    };
    scope.run(upload).then(
      (arrived) => end(arrivedItem(file, arrived)),
      (error: unknown) => end(isCancelled(error) ? cancelledItem(file) : failedItem(file, fromFailure(error))),
    );
  };
  const cancelByName = (workflowId: string) =>
    void CancellationScope.nonCancellable(() => getExternalWorkflowHandle(workflowId).cancel()).catch(() => undefined); // it has ended
  /** Never cancels the waiting, which tells how the upload ended. */
  const outcomeOf = async (workflowId: string): Promise<FileOperationResult> => {
    adopted.add(workflowId);
    if (scope.consideredCancelled) cancelByName(workflowId);
    try {
      return await CancellationScope.nonCancellable(() => waiting.awaitUpload(workflowId));
    } finally {
      adopted.delete(workflowId);
    }
  };
  const runChild = async (file: CarriedUpload, args: UploadInput): Promise<FileOperationResult> => {
    starting += 1;
    const child = await startChild(upload, {
      workflowId: file.workflowId,
      // A migration that continues as new, or is terminated, leaves its uploads to end by themselves.
      parentClosePolicy: ParentClosePolicy.ABANDON,
      staticSummary: file.path.slice(0, 200),
      typedSearchAttributes: [{ key: PROVIDER, value: input.provider }],
      args: [args],
    })
      .catch((error: unknown) => {
        if (error instanceof WorkflowExecutionAlreadyStartedError) return null;
        throw error;
      })
      .finally(() => {
        starting -= 1;
      });
    return await (child === null ? outcomeOf(file.workflowId) : child.result());
  };

  return {
    get size(): number {
      return running.size;
    },
    get running(): CarriedUpload[] {
      return [...running.values()];
    },
    async drained(): Promise<void> {
      await condition(() => running.size === 0);
    },
    /** Waits for as long as the timeout for all to end, and in any case until none is about to start. */
    async settled(timeout: Duration): Promise<void> {
      await condition(() => running.size === 0, timeout);
      await condition(() => starting === 0);
    },
    cancel(): void {
      scope.cancel();
      for (const workflowId of adopted) cancelByName(workflowId);
    },

    /** Waits for an upload that an earlier run of the migration has started. */
    adopt(file: CarriedUpload): void {
      watch(file, () => outcomeOf(file.workflowId));
    },
    /** Returns at once, so that many start in one workflow task. */
    start(file: SourceItem): void {
      const { source, path, sizeBytes } = file;
      if (source === null) {
        onEnd(problemItem(file));
        return;
      }
      const args = uploadInput(input, file, source);
      const carried = { workflowId: uploadWorkflowId(args.idempotencyKey), path, sizeBytes, ...originOf(file) };
      watch(carried, () => runChild(carried, args));
    },
  };
}

function uploadInput(
  { migrationId, provider, verify, settings, purpose = 'storage' }: MigrateInput,
  file: SourceItem,
  source: FileSource,
): UploadInput {
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
      purpose,
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
