import { CancellationScope, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { type UploadSteps, uploadFile } from '../src/domain/upload-file.ts';
import { LOCAL, small, transfer, WAIT } from './activity-options.ts';
import type { UploadInput, UploadResult } from './contract.ts';
import { fromFailure, toWorkflowFailure } from './failures.ts';
import { localFirst } from './local-first.ts';

const local = proxyLocalActivities<Activities>(LOCAL);
const waiting = proxyActivities<Activities>(WAIT);

/** One file: hash → dedupe → provider upload → record. Cancelling it stops the transfer and gives the claim up. */
export async function upload(input: UploadInput): Promise<UploadResult> {
  const { settings, source } = input;
  const brief = proxyActivities<Activities>(small(settings));
  const bytes = proxyActivities<Activities>(transfer(settings, source.sizeBytes));
  const isSmall = source.sizeBytes <= settings.localLimitBytes;

  const steps: UploadSteps = {
    hash: () =>
      isSmall
        ? localFirst(
            () => local.hashFile(input),
            () => bytes.hashFile(input),
          )
        : bytes.hashFile(input),
    claim: async (content) => {
      const claim = await localFirst(
        () => local.claimContent(input, content),
        () => brief.claimContent(input, content),
      );
      return claim.outcome === 'busy' ? await waiting.awaitClaim(input, content) : claim;
    },
    store: (content, claim) =>
      isSmall
        ? localFirst(
            () => local.storeContent(input, content, claim),
            () => bytes.storeContent(input, content, claim),
          )
        : bytes.storeContent(input, content, claim),
    record: (claim, id) =>
      localFirst(
        () => local.recordUpload(input, claim, id),
        () => brief.recordUpload(input, claim, id),
      ),
    verify: (content, claim, id) => bytes.verifyCopy(input, content, claim, id),
    giveUp: (claim, code) =>
      CancellationScope.nonCancellable(() =>
        localFirst(
          () => local.giveUpClaim(input, claim, code),
          () => brief.giveUpClaim(input, claim, code),
        ),
      ),
  };
  try {
    return await uploadFile(translated(steps), { provider: input.provider, verify: input.verify });
  } catch (error) {
    throw toWorkflowFailure(error);
  }
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
