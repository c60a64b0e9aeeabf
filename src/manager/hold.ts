import { ValidationError } from '../domain/errors.ts';
import type { FileRecord } from '../domain/models.ts';
import type { FileHold, RetentionLedger } from '../ledger/retention-ledger.ts';

export interface Held {
  fileId: string;
  hold: boolean;
  /** Copies that are on hold now, or were released. */
  copies: number;
  /** Of these the object is being deleted at this moment, which cannot be stopped. */
  purging: number;
  /** The oldest first. */
  history: FileHold[];
}

/** Puts a file on legal hold, or takes the hold off. @throws ValidationError `nothing_to_hold` */
export async function holdFile(
  file: FileRecord,
  { hold, reason, by }: { hold: boolean; reason: string | null; by: string },
  retention: Pick<RetentionLedger, 'holdFile' | 'fileHolds'>,
): Promise<Held> {
  const { copies, purging } = await retention.holdFile(file.id, hold, { reason, by });
  if (copies === 0)
    throw new ValidationError(`The file ${file.id} has no copy that is still there: nothing can be held`, { code: 'nothing_to_hold' });
  return { fileId: file.id, hold, copies, purging, history: await retention.fileHolds(file.id) };
}
