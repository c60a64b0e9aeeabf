import { cancellationSignal } from '@temporalio/activity';
import type { Observation } from '../src/domain/comparison.ts';
import { FileManagementError } from '../src/domain/errors.ts';
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
  file: { name: string; mimeType: string | null; purpose: string };
}

/** The second run of the control, which tells what differs by chance alone. */
export function createControlActivities({ legacy, provider }: { legacy: FileService; provider: (name: string) => Provider }) {
  return {
    /** Not idempotent: an old path that cannot be asked for an operation may be left with a file of nobody's where this is cut off. */
    async runControl({ tool, operationId, source, file }: ControlRun): Promise<Observation> {
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
          const stored = (await legacy.find?.(context.operationId, context)) ?? (await legacy.upload(input, context));
          const observation: Observation = { ok: true, result: observedFile(stored), ms: ms() };
          await legacy.delete(stored.id, context);
          return observation;
        } catch (error) {
          signal.throwIfAborted();
          return { ok: false, code: error instanceof FileManagementError ? error.code : 'unknown', ms: ms() };
        }
      });
    },
  };
}
