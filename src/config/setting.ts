import type { z } from 'zod';
import type { Parser } from './parsers.ts';

/** What people are told of a variable. */
export interface SettingInfo {
  about: string;
  /** The default as `.env.example` and `cutover config` show it; empty where there is none. */
  shown: string;
  /** Its value is never printed. */
  secret: boolean;
  /** Another name under which it is known elsewhere. */
  alias: string | null;
}

interface SettingOptions<D> {
  about: string;
  default: D;
  /** Needed where the default is worked out and not a plain value. */
  shown?: string;
  secret?: boolean;
  alias?: string;
}

/** One variable: how its text is read, what it is when nobody sets it, and what people are told of it. */
export function setting<T, const D>(parser: Parser<T>, options: SettingOptions<D>): z.ZodType<T | D, string | undefined> {
  const info: SettingInfo = {
    about: options.about,
    shown: options.shown ?? (options.default === null ? '' : String(options.default)),
    secret: options.secret ?? false,
    alias: options.alias ?? null,
  };
  return parser
    .optional()
    .transform((value): T | D => (value === undefined ? options.default : value))
    .meta({ setting: info });
}

export function infoOf(schema: z.ZodType): SettingInfo {
  const info = schema.meta()?.setting;
  if (info === undefined) throw new TypeError('A variable was declared without setting()');
  return info as SettingInfo;
}
