import { FileManagementError, ValidationError } from '../domain/errors.ts';
import type { FileCopy, FileRecord } from '../domain/models.ts';
import type { Ledger } from '../ledger/ledger.ts';

/** A deletion cannot be taken back any more: exit code 1, because the command was right and came too late. */
export class TooLateError extends FileManagementError {}

/**
 * Takes a deletion back within the grace. The file counts as read now, or the next sweep would mark it again.
 * @returns the copies that are there again
 * @throws TooLateError `too_late`; ValidationError `not_deleted`
 */
export async function restoreFile(file: FileRecord, ledger: Pick<Ledger, 'restore' | 'copies' | 'touch'>): Promise<FileCopy[]> {
  const before = await ledger.copies(file.id);
  const restored = await ledger.restore(file.id);
  if (restored > 0) await ledger.touch(file.id);
  const copies = await ledger.copies(file.id);
  if (restored > 0) return copies.filter(({ id, deletedAt }) => deletedAt === null && wasDeleted(before, id));
  const gone = copies.filter(({ status, deletedAt }) => status === 'completed' && deletedAt !== null);
  if (copies.some(({ status, deletedAt }) => status === 'completed' && deletedAt === null))
    throw new ValidationError(`The file ${file.id} is not deleted`, { code: 'not_deleted' });
  const [latest] = gone.sort((a, b) => Date.parse(b.deletedAt ?? '') - Date.parse(a.deletedAt ?? ''));
  if (latest === undefined)
    throw new ValidationError(`The file ${file.id} has no copy that was deleted: nothing can be restored`, { code: 'not_deleted' });
  throw new TooLateError(
    `It is too late: the object of ${file.id} at ${latest.provider} ${whatBecameOf(latest)} (deleted at ${latest.deletedAt}: ${latest.deletionReason}). Upload the file again`,
    { code: 'too_late', provider: latest.provider },
  );
}

function whatBecameOf({ purgedAt, expiresAt, provider }: FileCopy): string {
  if (purgedAt !== null) return `was removed at ${purgedAt}`;
  return expiresAt !== null && Date.parse(expiresAt) <= Date.now()
    ? `was dropped by ${provider} itself at ${expiresAt}`
    : 'is being removed now';
}

const wasDeleted = (before: readonly FileCopy[], id: string): boolean => before.some((copy) => copy.id === id && copy.deletedAt !== null);
