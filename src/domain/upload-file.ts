import { FileManagementError, UploadError } from './errors.ts';
import type { FileContent, FileOperationResult, Verification } from './models.ts';

/** A copy that is there (`byUs`: an earlier attempt of this very upload made it), or that we alone are to make. */
export type Claimed =
  | { outcome: 'completed'; fileId: string; copyId: string; providerFileId: string; byUs: boolean }
  | { outcome: 'claimed'; fileId: string; copyId: string; attempts: number; lastErrorCode: string | null };

/** What a provider has stored: its id, and when it will drop it by itself. */
export interface Stored {
  id: string;
  expiresAt: string | null;
}

/** What is on record now: the provider's id that counts, and the upload's own. */
export interface Recorded {
  providerFileId: string;
  uploadId: string;
}

/** The four steps of one file, and what goes with them. A workflow gives activities for them; a test or a batch gives plain functions. */
export interface UploadSteps {
  hash(): Promise<FileContent>;
  /** Waits while somebody else sends the same content. */
  claim(content: FileContent): Promise<Claimed>;
  /** Workers of an older version answer the provider's id alone. */
  store(content: FileContent, claim: Claimed & { outcome: 'claimed' }): Promise<Stored | string>;
  /**
   * False when the claim was lost meanwhile. A string: the id that counts, where somebody else had made the copy first. More where the
   * upload has an id of its own.
   */
  record(claim: Claimed, stored: Stored): Promise<boolean | string | Recorded>;
  /** Throws with the code `verification_failed` when the copy is not what was sent. */
  verify(content: FileContent, claim: Claimed, providerFileId: string): Promise<void>;
  /** Gives the claim up, so that others need not wait for its lease. */
  giveUp(claim: Claimed, errorCode: string): Promise<void>;
}

/** How often a file may change under our hands, a claim be lost or a copy turn out damaged, before we say so instead of going on. */
const MAX_ROUNDS = 3;

/**
 * hash → dedupe → provider upload → record. Begins again when the file changed while it was read, when the claim was lost to
 * somebody who then failed, or when the stored copy is damaged (which sends it once more).
 */
export async function uploadFile(steps: UploadSteps, options: { provider: string; verify: Verification }): Promise<FileOperationResult> {
  for (let round = 1; ; round += 1) {
    try {
      const result = await uploadOnce(steps, options);
      if (result !== null) return result;
    } catch (error) {
      if (round >= MAX_ROUNDS || !startsOver(error)) throw error;
      continue;
    }
    if (round >= MAX_ROUNDS)
      throw new UploadError(
        `The claim was lost ${MAX_ROUNDS} times: other uploads of the same content take it over; raise its lease or look at them`,
        {
          code: 'claim_lost',
          provider: options.provider,
        },
      );
  }
}

/** `claim_lost`: somebody else took the claim over while we sent; asking again tells whether to wait for them. */
const startsOver = (error: unknown) =>
  error instanceof FileManagementError && ['file_changed', 'verification_failed', 'claim_lost'].includes(error.code);

async function uploadOnce(steps: UploadSteps, options: { provider: string; verify: Verification }): Promise<FileOperationResult | null> {
  const content = await steps.hash();
  const claim = await steps.claim(content);
  let end: Pick<FileOperationResult, 'providerFileId' | 'uploadId'>;
  try {
    const stored = asStored(claim.outcome === 'completed' ? claim.providerFileId : await steps.store(content, claim));
    const recorded = await steps.record(claim, stored);
    if (recorded === false) return null;
    end = typeof recorded === 'object' ? recorded : { providerFileId: recorded === true ? stored.id : recorded };
  } catch (error) {
    await steps.giveUp(claim, error instanceof FileManagementError ? error.code : 'cancelled');
    throw error;
  }
  if (options.verify !== 'none') await steps.verify(content, claim, end.providerFileId);
  return {
    outcome: claim.outcome === 'completed' && !claim.byUs ? 'deduplicated' : 'uploaded',
    fileId: claim.fileId,
    ...content,
    provider: options.provider,
    ...end,
    verified: options.verify,
  };
}

const asStored = (stored: Stored | string): Stored => (typeof stored === 'string' ? { id: stored, expiresAt: null } : stored);
