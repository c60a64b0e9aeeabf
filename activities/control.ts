import { cancellationSignal } from '@temporalio/activity';
import type { Observation } from '../src/domain/comparison.ts';
import { FileManagementError, ValidationError } from '../src/domain/errors.ts';
import type { FileSource } from '../src/domain/models.ts';
import { observedFile } from '../src/domain/shadow.ts';
import type { CallContext, FileService, UploadFile } from '../src/facade/file-service.ts';
import type { Provider } from '../src/providers/provider.ts';
import { heartbeating } from './heartbeat.ts';

/** An operation that legacy is to do once more, on nobody's behalf. */
export interface ControlRun {
  tool: string;
  operationId: string;
  source: FileSource;
  /** `legacyId`: what the first run was given; absent where it failed. */
  file: { name: string; mimeType: string | null; purpose: string; legacyId?: string };
}

/** The second run of the control, which tells what differs by chance alone. */
export function createControlActivities({ legacy, provider }: { legacy: FileService; provider: (name: string) => Provider }) {
  return {
    /**
     * Idempotent by the operation's id. Deletes what this run has stored, and nothing else: an old path that answers with a file which
     * was there before keeps it.
     * @throws ValidationError `control_not_supported` where the old path cannot be asked what an operation stored
     */
    async runControl({ tool, operationId, source, file }: ControlRun): Promise<Observation> {
      const { find } = legacy;
      if (find === undefined)
        throw new ValidationError(
          'The old path is not run a second time: it cannot be asked which file an operation stored, so a file of a user could be deleted with it',
          { code: 'control_not_supported', provider: 'legacy' },
        );
      const signal = cancellationSignal();
      const context: CallContext = { tool, userId: null, operationId: `control:${operationId}`, purpose: file.purpose, signal };
      const input: UploadFile = {
        ...{ name: file.name, mimeType: file.mimeType, sizeBytes: source.sizeBytes, path: null },
        async *open() {
          if (source.kind === 'object') yield* (await provider(source.provider).download(source.id, { signal })).chunks;
        },
      };
      return await heartbeating(undefined, async () => {
        const began = performance.now();
        const ms = () => performance.now() - began;
        try {
          const stored = (await find.call(legacy, context.operationId, context)) ?? (await legacy.upload(input, context));
          const observation: Observation = { ok: true, result: observedFile(stored), ms: ms() };
          const own = await find.call(legacy, context.operationId, context);
          if (own?.id === stored.id && stored.id !== file.legacyId) await legacy.delete(stored.id, context);
          return observation;
        } catch (error) {
          signal.throwIfAborted();
          return { ok: false, code: error instanceof FileManagementError ? error.code : 'unknown', ms: ms() };
        }
      });
    },
  };
}
