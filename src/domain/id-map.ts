import { ValidationError } from './errors.ts';

/** What an old id is to be written as, wherever an application keeps it. */

/** Where something that moved is now, as far as an id of it can be made. */
export interface NewPlace {
  fileId: string;
  provider: string | null;
  /** Null where no copy works now. */
  providerFileId: string | null;
  sha256: string | null;
}

/** Gives the new id; null where what it is made of is not there. */
export type NewId = (place: NewPlace) => string | null;

const PARTS: Readonly<Record<string, NewId>> = {
  'provider-id': ({ providerFileId }) => providerFileId,
  'file-id': ({ fileId }) => fileId,
  provider: ({ provider }) => provider,
  sha256: ({ sha256 }) => sha256,
};
const NAMES = Object.keys(PARTS)
  .map((name) => `{${name}}`)
  .join(', ');

/** Each folder of a name as it stands in a URL (RFC 3986: everything but unreserved characters is escaped). */
export const urlPath = (name: string): string => name.toWellFormed().split('/').map(encodeURIComponent).join('/');

/**
 * `provider-id`, `file-id`, or a template of a URL such as `https://cdn.example.com/{provider-id}`, whose parts are escaped.
 * @throws ValidationError `new_id_unknown`
 */
export function newIdOf(said: string): NewId {
  if (said === 'provider-id' || said === 'file-id') return PARTS[said] as NewId;
  const names = [...said.matchAll(/\{([^{}]*)\}/g)].map(([, name = '']) => name);
  const unknown = names.find((name) => !Object.hasOwn(PARTS, name));
  if (names.length === 0 || unknown !== undefined)
    throw new ValidationError(
      `${JSON.stringify(said)} ${unknown === undefined ? 'names no part of the new id' : `has a part {${unknown}} that there is not`}: say provider-id, file-id, or a template with ${NAMES}`,
      { code: 'new_id_unknown' },
    );
  return (place) => {
    const parts = new Map(names.map((name) => [name, PARTS[name]?.(place) ?? null]));
    if ([...parts.values()].includes(null)) return null;
    return said.replace(/\{([^{}]*)\}/g, (_, name: string) => urlPath(parts.get(name) ?? ''));
  };
}

/**
 * What an application may have written for an old id: with its prefix in front; in a URL also with the id escaped. The first is the
 * likeliest.
 */
export function oldValues(oldId: string, prefix: string): string[] {
  const escaped = isUrl(prefix) ? [prefix + urlPath(oldId)] : [];
  return [...new Set([prefix + oldId, ...escaped])];
}

/** The old ids that an application may have meant by such a value, the likeliest first. */
export function oldIdsOf(value: string, prefix: string): string[] {
  const oldId = value.startsWith(prefix) ? value.slice(prefix.length) : value;
  if (!isUrl(prefix)) return [oldId];
  try {
    return [...new Set([oldId, decodeURIComponent(oldId)])];
  } catch {
    return [oldId];
  }
}

const isUrl = (prefix: string): boolean => /^[a-z][a-z0-9+.-]*:\/\//i.test(prefix);
