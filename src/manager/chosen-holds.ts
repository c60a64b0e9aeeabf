import { ValidationError } from '../domain/errors.ts';
import { printable } from '../domain/format.ts';
import type { FileReference } from '../domain/models.ts';

/**
 * Whose hold on a file goes. Where several hold it, the person must say so: the others' files are not theirs to delete.
 * @throws ValidationError `reference_needed`, listing who holds it
 */
export function chosenHolds(
  references: readonly FileReference[],
  { reference, all }: { reference?: readonly string[] | undefined; all?: boolean | undefined },
): readonly string[] | 'all' {
  if (all === true && reference !== undefined)
    throw new ValidationError('--all and --reference contradict each other: leave one of them out', { code: 'reference_needed' });
  if (reference !== undefined) return reference;
  if (all === true || references.length <= 1) return 'all';
  const holders = references.map((held) => `  ${describeHold(held)}`);
  throw new ValidationError(
    `${references.length} hold this file. Give up one hold with --reference ID, or every one with --all:\n${holders.join('\n')}`,
    { code: 'reference_needed' },
  );
}

export const describeHold = ({ id, tool, userId, name }: FileReference): string =>
  `${id}  ${printable(tool)}${userId === null ? '' : `, user ${printable(userId)}`}, as ${printable(name)}`;
