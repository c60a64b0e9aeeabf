import { setTimeout as sleep } from 'node:timers/promises';
import { activityInfo, cancellationSignal, heartbeat } from '@temporalio/activity';
import { UploadError } from '../src/domain/errors.ts';
import type { FileContent, FileSource } from '../src/domain/models.ts';
import type { ModelKind } from '../src/domain/time-limits.ts';
import { type Claimed, type Recorded, type Stored, uploadFile } from '../src/domain/upload-file.ts';
import type { Ledger } from '../src/ledger/ledger.ts';
import { fileNameOf } from '../src/manager/file-name.ts';
import type { Destination } from '../src/manager/fit.ts';
import type { ProvidersFor } from '../src/manager/providers-for.ts';
import type { Busy, UploadStepFunctions, UploadTarget } from '../src/manager/upload-steps.ts';
import { type UploadInput, type UploadResult, uploadWorkflowId } from '../workflows/contract.ts';
import { heartbeating } from './heartbeat.ts';
import { nextTurn, TURN_MS } from './turn.ts';

export interface UploadActivitiesDependencies {
  /** With the time limits of this kind of model. */
  stepsFor: (model: ModelKind | undefined) => UploadStepFunctions;
  ledger: Ledger;
  providerFor: ProvidersFor;
}

/** What `store` leaves for the attempt after it. */
interface StoreHeartbeat {
  sentBytes: number;
  checkpoint: unknown;
}

/** What the workflow `upload` is made of: calls of the manager. Idempotent: the same owner gets the same claim and object again. */
export function createUploadActivities({ stepsFor, ledger, providerFor }: UploadActivitiesDependencies) {
  const stepsOf = ({ settings }: UploadInput): UploadStepFunctions => stepsFor(settings.model);
  /**
   * A step may wait for its turn longer than its lease lasts. What somebody else has sent meanwhile is the live object: it is neither
   * looked for to be replaced, nor sent a second time.
   */
  async function stillHeld(
    steps: UploadStepFunctions,
    content: FileContent,
    claim: Claimed & { outcome: 'claimed' },
    target: UploadTarget,
  ) {
    if (await ledger.renew(claim.copyId, target.owner, target.leaseSeconds)) return claim;
    const now = await steps.claim(content, target);
    if (now.outcome === 'claimed' && now.copyId === claim.copyId) return now;
    throw claimLost();
  }

  return {
    /**
     * All four steps of a small file at once. Whatever is not as usual (the content is being sent by another, an outage) is thrown
     * as retryable: the workflow then takes the steps one by one, where they can be seen and waited for.
     */
    async uploadSmallFile(input: UploadInput): Promise<UploadResult> {
      const steps = stepsOf(input);
      const target = targetOf(input);
      const context = { signal: cancellationSignal() };
      const verify = input.verify;
      return await uploadFile(
        {
          hash: () => steps.hash(input.source, destinationOf(input), context),
          claim: async (content) => {
            const claim = await steps.claim(content, target);
            if (claim.outcome === 'busy')
              throw new UploadError('Another upload sends this content now', { code: 'claim_busy', retryable: true });
            return claim;
          },
          store: (content, claim) => steps.store(input.source, content, claim, target, context),
          record: (claim, stored) => steps.record(claim, stored, target),
          verify: async (content, claim, id) => {
            if (verify !== 'none') await steps.verify(content, claim, id, verify, target, context);
          },
          giveUp: (claim, code) => steps.giveUp(claim, target, code),
        },
        { provider: input.provider, verify },
      );
    },

    async hashFile(input: UploadInput): Promise<FileContent> {
      return await heartbeating(undefined, () => stepsOf(input).hash(input.source, destinationOf(input), { signal: cancellationSignal() }));
    },

    async claimContent(input: UploadInput, content: FileContent): Promise<Claimed | Busy> {
      return await stepsOf(input).claim(content, targetOf(input));
    },

    /** Asks until the content is there or ours to send; the one who loses the claim waits here, turn by turn. */
    async awaitClaim(input: UploadInput, content: FileContent): Promise<Claimed> {
      const signal = cancellationSignal();
      const until = performance.now() + TURN_MS;
      for (let wait = 100; ; wait = Math.min(wait * 2, 2_000)) {
        const claim = await stepsOf(input).claim(content, targetOf(input));
        if (claim.outcome !== 'busy') return claim;
        if (performance.now() >= until) throw nextTurn('Another upload sends this content');
        heartbeat();
        await sleep(Math.min(claim.retryAfterMs, wait) * (0.5 + Math.random() / 2), undefined, { signal });
      }
    },

    async storeContent(input: UploadInput, content: FileContent, claim: Claimed & { outcome: 'claimed' }): Promise<Stored> {
      const steps = stepsOf(input);
      const target = targetOf(input);
      const { attempt, heartbeatDetails } = activityInfo();
      const before = heartbeatDetails as StoreHeartbeat | undefined;
      const details: StoreHeartbeat = { sentBytes: 0, checkpoint: before?.checkpoint };
      return await heartbeating(details, async () => {
        const { attempts, ...held } = await stillHeld(steps, content, claim, target);
        const lease = keepLease(ledger, claim.copyId, target);
        try {
          // An earlier attempt of this activity may have left an object, as an earlier claim may.
          return await steps.store(input.source, content, { ...held, attempts: attempts + attempt - 1 }, target, {
            signal: AbortSignal.any([cancellationSignal(), lease.lost]),
            ...(before === undefined ? {} : { checkpoint: before.checkpoint }),
            onProgress: (sentBytes) => {
              details.sentBytes = sentBytes;
            },
            onCheckpoint: (checkpoint) => {
              details.checkpoint = checkpoint;
            },
          });
        } finally {
          lease.stop();
        }
      });
    },

    /** Workflows of an older version give no expiry. */
    async recordUpload(
      input: UploadInput,
      claim: Claimed,
      providerFileId: string,
      expiresAt: string | null = null,
    ): Promise<boolean | string | Recorded> {
      return await stepsOf(input).record(claim, { id: providerFileId, expiresAt }, targetOf(input));
    },

    async verifyCopy(input: UploadInput, content: FileContent, claim: Claimed, providerFileId: string): Promise<void> {
      if (input.verify === 'none') return;
      const { verify } = input;
      await heartbeating(undefined, () =>
        stepsOf(input).verify(content, claim, providerFileId, verify, targetOf(input), { signal: cancellationSignal() }),
      );
    },

    /** Removes an object that was laid somewhere for one upload. Idempotent. */
    async removeStaged(source: FileSource, model?: ModelKind): Promise<void> {
      if (source.kind === 'object') await providerFor(model)(source.provider).delete(source.id, cancellationSignal());
    },

    async giveUpClaim(input: UploadInput, claim: Claimed, errorCode: string): Promise<void> {
      await stepsOf(input).giveUp(claim, targetOf(input), errorCode);
    },
  };
}

function destinationOf({ source, provider, reference, verify }: UploadInput): Destination {
  return { provider, name: fileNameOf(source, reference.name), purpose: reference.purpose, verify };
}

/** The claim belongs to the workflow, not to an attempt: a retry after a crash gets it back at once. */
function targetOf(input: UploadInput): UploadTarget {
  return {
    provider: input.provider,
    namespace: input.namespace,
    reference: input.reference,
    fileName: fileNameOf(input.source, input.reference.name),
    owner: uploadWorkflowId(input.idempotencyKey),
    // The run belongs to it: `cutover upload` of the same file has the same key tomorrow, and is a duplicate then.
    idempotencyKey: `${input.idempotencyKey} ${activityInfo().workflowExecution?.runId}`,
    leaseSeconds: input.settings.leaseSeconds,
    onDuplicate: input.onDuplicate,
    ...(input.replaces === undefined ? {} : { replaces: input.replaces }),
    ...(input.distinctBy === undefined ? {} : { distinctBy: input.distinctBy }),
  };
}

const claimLost = () => new UploadError('The claim on this upload was taken over by another', { code: 'claim_lost', retryable: false });

/** Renews the claim while bytes move; aborts the transfer when somebody else has taken it over. */
function keepLease(ledger: Ledger, copyId: string, { owner, leaseSeconds }: UploadTarget): { lost: AbortSignal; stop(): void } {
  const controller = new AbortController();
  const timer = setInterval(
    () => {
      ledger.renew(copyId, owner, leaseSeconds).then(
        (ours) => {
          if (!ours) controller.abort(claimLost());
        },
        () => undefined, // the ledger being away for a moment is no reason to stop: the lease outlasts two missed renewals
      );
    },
    (leaseSeconds * 1000) / 3,
  );
  return { lost: controller.signal, stop: () => clearInterval(timer) };
}
