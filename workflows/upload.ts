import { CancellationScope, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { type UploadSteps, uploadFile } from '../src/domain/upload-file.ts';
import { LOCAL, onProviderQueue, small, tidy, transfer, WAIT } from './activity-options.ts';
import type { UploadInput, UploadResult } from './contract.ts';
import { fromFailure, toWorkflowFailure } from './failures.ts';
import { localFirst } from './local-first.ts';

const local = proxyLocalActivities<Activities>(LOCAL);
const waiting = proxyActivities<Activities>(WAIT);

/**
 * One file: hash → dedupe → provider upload → record. A small one takes the four steps in one local activity; a large one, or one
 * that meets an outage, takes them one by one. Cancelling it stops the transfer and gives the claim up.
 */
export async function upload(input: UploadInput): Promise<UploadResult> {
  const { settings, source, provider, verify } = input;
  const stepwise = () => uploadFile(stepsOf(input), { provider, verify });
  try {
    // A local activity would pass the provider's rate by.
    if (source.sizeBytes > settings.localLimitBytes || settings.providerQueue !== undefined) return await stepwise();
    return await localFirst(() => local.uploadSmallFile(input), stepwise);
  } catch (error) {
    throw toWorkflowFailure(fromFailure(error));
  } finally {
    if (input.staged === true) await removeStaged(input);
  }
}

/** Also where the upload was cancelled. What cannot be removed now is left to `reconcile --fix`, which deletes it after 14 days: the upload does not fail for it. */
export async function removeStaged({ source, settings }: UploadInput): Promise<void> {
  const { removeStaged: remove } = proxyActivities<Activities>(tidy(settings));
  await CancellationScope.nonCancellable(() => remove(source, settings.model)).catch(() => undefined);
}

function stepsOf(input: UploadInput): UploadSteps {
  const brief = proxyActivities<Activities>(small(input.settings));
  const bytes = proxyActivities<Activities>(transfer(input.settings, input.source.sizeBytes));
  const atProvider = proxyActivities<Activities>(onProviderQueue(input.settings, transfer(input.settings, input.source.sizeBytes)));
  return translated({
    hash: () => bytes.hashFile(input),
    claim: async (content) => {
      const claim = await localFirst(
        // A claim that is cancelled while it is being made would be nobody's until its lease ends.
        () => CancellationScope.nonCancellable(() => local.claimContent(input, content)),
        () => brief.claimContent(input, content),
      );
      return claim.outcome === 'busy' ? await waiting.awaitClaim(input, content) : claim;
    },
    store: (content, claim) => atProvider.storeContent(input, content, claim),
    record: (claim, { id, expiresAt }) =>
      localFirst(
        // The object is there: whoever cancels now gets a file, not an object that nobody knows of.
        () => CancellationScope.nonCancellable(() => local.recordUpload(input, claim, id, expiresAt)),
        () => brief.recordUpload(input, claim, id, expiresAt),
      ),
    verify: (content, claim, id) => atProvider.verifyCopy(input, content, claim, id),
    // Once: where the ledger is away, the lease ends by itself, and nobody waits for a cancellation.
    giveUp: (claim, code) => CancellationScope.nonCancellable(() => local.giveUpClaim(input, claim, code)).catch(() => undefined),
  });
}

/** Each step's failure as an error of our hierarchy, which is what `uploadFile` decides by. */
function translated(steps: UploadSteps): UploadSteps {
  const wrap =
    <A extends unknown[], T>(step: (...args: A) => Promise<T>) =>
    (...args: A): Promise<T> =>
      step(...args).catch((error: unknown) => Promise.reject(fromFailure(error)));
  return {
    hash: wrap(steps.hash),
    claim: wrap(steps.claim),
    store: wrap(steps.store),
    record: wrap(steps.record),
    verify: wrap(steps.verify),
    giveUp: wrap(steps.giveUp),
  };
}
