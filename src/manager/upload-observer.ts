import { ValidationError } from '../domain/errors.ts';
import type { UploadStepFunctions } from './upload-steps.ts';

/** How a transfer ended. `cancelled`: its signal stopped it. */
export interface TransferEnd {
  status: 'success' | 'failure' | 'cancelled';
  /** Of the file where it is stored; else what the provider had taken. */
  bytes: number;
  seconds: number;
}

/** Who is told of what the steps of an upload do. Its functions return at once and throw nothing. */
export interface UploadObserver {
  /** Bytes are about to be sent; what comes back is called once, when that has ended. */
  sending(transfer: { provider: string; userId: string | null }): (end: TransferEnd) => void;
  /** An upload for which nothing had to be sent. */
  deduplicated(provider: string): void;
  /** The file is none that may be uploaded there. */
  refused(provider: string, code: string): void;
}

/** The steps, and somebody who is told of them. */
export function observedSteps(steps: UploadStepFunctions, observer: UploadObserver): UploadStepFunctions {
  const refusals = (provider: string) => (error: unknown) => {
    if (error instanceof ValidationError) observer.refused(provider, error.code);
    throw error;
  };
  return {
    ...steps,
    hash: (source, to, context) => steps.hash(source, to, context).catch(refusals(to.provider)),
    claim: (content, target) => steps.claim(content, target).catch(refusals(target.provider)),
    async store(source, content, claim, target, context) {
      const { provider, reference } = target;
      const ended = observer.sending({ provider, userId: reference.userId });
      const startedMs = performance.now();
      const end = (status: TransferEnd['status'], bytes: number) =>
        ended({ status, bytes, seconds: (performance.now() - startedMs) / 1000 });
      let sent = 0;
      const onProgress = (bytes: number): void => {
        sent = bytes;
        context.onProgress?.(bytes);
      };
      try {
        const stored = await steps.store(source, content, claim, target, { ...context, onProgress }).catch(refusals(provider));
        end('success', content.sizeBytes);
        return stored;
      } catch (error) {
        end(context.signal.aborted ? 'cancelled' : 'failure', sent);
        throw error;
      }
    },
    async record(claim, stored, target) {
      const recorded = await steps.record(claim, stored, target);
      // Here, and not where it is claimed: a claim is asked for again by whoever waits or begins anew.
      if (recorded !== false && claim.outcome === 'completed' && !claim.byUs) observer.deduplicated(target.provider);
      return recorded;
    },
  };
}
