import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';

/** The one place where text from the environment becomes a value. Each parser says what is allowed when it refuses. */

export type Parser<T> = z.ZodType<T, string>;

function parser<T>(allowed: string, parse: (text: string) => T | undefined): Parser<T> {
  return z.string().transform((text, context) => {
    const value = parse(text.trim());
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: `must be ${allowed}` });
    return z.NEVER;
  });
}

export const text = (): Parser<string> => parser('text', (value) => value);

export const boolean = (): Parser<boolean> =>
  parser('true or false (also 1/0, yes/no, on/off)', (value) => {
    if (/^(true|1|yes|on)$/i.test(value)) return true;
    if (/^(false|0|no|off)$/i.test(value)) return false;
    return undefined;
  });

interface Range {
  min: number;
  max: number;
}

const range = ({ min, max }: Range): string => (max === Number.POSITIVE_INFINITY ? `, ${min} or more` : ` from ${min} to ${max}`);

/** A whole number in decimal digits; ends included. */
export const integer = (bounds: Range): Parser<number> =>
  parser(`a whole number${range(bounds)}`, (value) => bounded(/^[+-]?\d+$/.test(value) ? Number(value) : Number.NaN, bounds));

/** A number with or without a fraction, in decimal or scientific notation; ends included. */
export const float = (bounds: Range): Parser<number> =>
  parser(`a number${range(bounds)}`, (value) =>
    bounded(/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) ? Number(value) : Number.NaN, bounds),
  );

const bounded = (value: number, { min, max }: Range): number | undefined => (value >= min && value <= max ? value : undefined);

export const port = (): Parser<number> => integer({ min: 1, max: 65_535 });

export const oneOf = <const T extends string>(...values: readonly T[]): Parser<T> =>
  parser(`one of ${values.join(', ')}`, (value) => values.find((known) => known === value.toLowerCase()));

/** Items between commas, without the spaces around them; empty ones are refused, because they are slips. */
export const list = (allowed: string, valid: RegExp): Parser<readonly string[]> =>
  parser(allowed, (value) => {
    const items = value.split(',').map((item) => item.trim());
    return items.every((item) => valid.test(item)) ? items : undefined;
  });

/** An absolute path; a relative one counts from `cwd`, and a leading `~/` is left to the shell. */
export const path = (cwd: string): Parser<string> =>
  parser('a path', (value) => (value.includes('\0') ? undefined : isAbsolute(value) ? value : resolve(cwd, value)));

/** An address to listen on. */
export const host = (): Parser<string> =>
  parser('an IP address or a host name, such as 127.0.0.1 or 0.0.0.0', (value) =>
    /^(?:[\w.-]+|[0-9a-f:]+)$/i.test(value) ? value : undefined,
  );

export const hostAndPort = (): Parser<string> =>
  parser('HOST:PORT without a scheme, such as 127.0.0.1:7233', (value) => {
    const port = Number(/^(?:[\w.-]+|\[[0-9a-f:]+\]):(\d{1,5})$/i.exec(value)?.[1] ?? Number.NaN);
    return port >= 1 && port <= 65_535 ? value : undefined;
  });

/** An http or https URL without credentials, query or fragment; the slash at its end is taken off. */
export const httpUrl = (): Parser<string> =>
  parser('an http:// or https:// URL without user name, password or query', (value) => {
    const url = URL.parse(value);
    if (url === null || !/^https?:$/.test(url.protocol)) return undefined;
    if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') return undefined;
    return url.href.replace(/\/+$/, '');
  });
