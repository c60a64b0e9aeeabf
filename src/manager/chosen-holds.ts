import { ValidationError } from '../domain/errors.ts';
import { printable } from '../domain/format.ts';
import { FileId, type FileRecord, type FileReference } from '../domain/models.ts';

/**
 * Whose hold on a file goes. Where several hold it, the person must say so: the others' files are not theirs to delete. The id of an
 * upload says it; where that one is gone already, what is left is another's.
 * @param asked what the person named the file by, and the file that it is
 * @throws ValidationError `reference_needed`, listing who holds it
 */
export function chosenHolds(
  references: readonly FileReference[],
  { reference, all }: { reference?: readonly string[] | undefined; all?: boolean | undefined },
  { given, file }: { given: string; file: Pick<FileRecord, 'id'> },
): readonly string[] | 'all' {
  if (all === true && reference !== undefined) throw refused('--all and --reference contradict each other: leave one of them out');
  if (reference !== undefined) return reference;
  if (all === true) return 'all';
  const id = given.toLowerCase();
  const own = references.find(({ uploadId }) => uploadId === id);
  if (own !== undefined) return [own.id];
  const another = FileId.safeParse(id).success && id !== file.id;
  // By its id, and not as all that there are: a person may be asked first, and others may upload the same bytes meanwhile.
  if (references.length === 0 || (references.length === 1 && !another)) return references.map((held) => held.id);
  const holders = references.map((held) => `  ${describeHold(held)}`).join('\n');
  const told = another ? `${given} holds nothing (any more), and its content is held by others` : `${references.length} hold this file`;
  throw refused(`${told}. Give up one hold with --reference ID, or every one with --all:\n${holders}`);
}

const refused = (message: string) => new ValidationError(message, { code: 'reference_needed' });

export const describeHold = ({ id, tool, userId, name }: FileReference): string =>
  `${id}  ${printable(tool)}${userId === null ? '' : `, user ${printable(userId)}`}, as ${printable(name)}`;
