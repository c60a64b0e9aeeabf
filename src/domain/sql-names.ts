import { murmur3 } from './bucketing.ts';
import { ValidationError } from './errors.ts';

/** Longer names are cut off in silence (PostgreSQL, NAMEDATALEN), so that two of them could become one. */
const LONGEST_NAME_BYTES = 63;
/** Blocks of our scripts are quoted with it. */
export const BLOCK_QUOTE = '$cutover$';

const byteLength = (text: string): number => new TextEncoder().encode(text).length;

/** Text as a literal of SQL, whatever it contains; with `standard_conforming_strings`, which is the default. */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/**
 * The parts of a name as a person types it: `documents`, `app.documents`, `"My Schema"."a.b"`. Spelled as in the database: unlike
 * in SQL, upper case stays upper case. @param what for the message @param most parts allowed
 * @throws ValidationError `name_invalid`
 */
export function nameParts(said: string, what: string, most: 1 | 2): string[] {
  const part = /"((?:[^"\0]|"")+)"|([\p{L}_][\p{L}\p{M}\p{N}_$]*)/u.source;
  const found = [...said.matchAll(new RegExp(`(?:^|\\.)(?:${part})`, 'gu'))];
  const parts = found.map(([, quoted, plain]) => plain ?? quoted?.replaceAll('""', '"') ?? '');
  const whole = found.map(([text]) => text).join('') === said && !said.startsWith('.');
  const why =
    !whole || parts.length === 0 || said.includes(BLOCK_QUOTE)
      ? 'is no name; put one with blanks, dashes or dots in double quotes'
      : parts.length > most
        ? `has ${parts.length} parts and may have ${most === 1 ? 'one' : 'two: schema and table'}`
        : parts.some((name) => byteLength(name) > LONGEST_NAME_BYTES)
          ? `is longer than the ${LONGEST_NAME_BYTES} bytes that PostgreSQL allows`
          : null;
  if (why !== null) throw new ValidationError(`The ${what} ${JSON.stringify(said)} ${why}`, { code: 'name_invalid' });
  return parts;
}

/** A name of ours that ends in names of theirs: where it would be too long, a hash keeps it unlike others. */
export function fittingName(name: string): string {
  if (byteLength(name) <= LONGEST_NAME_BYTES) return name;
  const end = `_${murmur3(new TextEncoder().encode(name)).toString(16).padStart(8, '0')}`;
  let start = [...name];
  while (byteLength(start.join('') + end) > LONGEST_NAME_BYTES) start = start.slice(0, -1);
  return start.join('') + end;
}
