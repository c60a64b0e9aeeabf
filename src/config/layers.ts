import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { messageOf } from '../domain/errors.ts';

/** Where a value came from, from the weakest to the strongest. `stack` is what `cutover up` wrote. */
export const ORIGINS = ['default', 'stack', 'file', 'environment'] as const;
export type Origin = (typeof ORIGINS)[number];

export interface Layer {
  origin: Origin;
  /** For people: a path, or "the environment". */
  where: string;
  values: Readonly<Record<string, string | undefined>>;
}

export interface Found {
  /** Empty: said to be unset, which hides what weaker layers say. */
  value: string;
  origin: Origin;
  where: string;
  /** The name that was used: the variable's or its alias. */
  name: string;
}

/**
 * The variables of a dotenv file; none when there is no such file.
 * @throws Error naming the file when it is there and cannot be read.
 */
export function readDotenv(path: string): Record<string, string | undefined> {
  try {
    return parseEnv(readFileSync(path, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new Error(`${path} could not be read: ${messageOf(error)}`, { cause: error });
  }
}

/** The text of a dotenv file that `readDotenv` reads back unchanged. @throws RangeError for a value that no quotes can hold. */
export function formatDotenv(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => {
      const quote = ["'", '"', '`'].find((candidate) => !value.includes(candidate));
      if (quote === undefined || /[\r\\]/.test(value)) throw new RangeError(`The value of ${name} cannot be written to a dotenv file`);
      return `${name}=${quote}${value}${quote}\n`;
    })
    .join('');
}

/** What the strongest layer that knows a variable says. Within one layer the name itself beats its alias. */
export function find(layers: readonly Layer[], name: string, alias: string | null): Found | null {
  for (const layer of layers.toReversed())
    for (const known of alias === null ? [name] : [name, alias]) {
      const value = layer.values[known];
      if (value !== undefined) return { value: value.trim() === '' ? '' : value, origin: layer.origin, where: layer.where, name: known };
    }
  return null;
}

export const stronger = (a: Origin, b: Origin): boolean => ORIGINS.indexOf(a) > ORIGINS.indexOf(b);
