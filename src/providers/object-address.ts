import { ValidationError } from '../domain/errors.ts';

export interface ObjectAddress {
  bucket: string;
  key: string;
  /** Escaped, for a URL. */
  path: string;
}

/**
 * Takes a storage's id `<bucket>/<key>` apart. Throws ValidationError `invalid_id` for what is none, before "..", which URLs fold,
 * can lead to another object.
 */
export function objectAddress(provider: string, id: string): ObjectAddress {
  const segments = id.split('/');
  if (segments.length < 2 || segments.some((segment) => segment === '' || segment === '.' || segment === '..'))
    throw new ValidationError(`${JSON.stringify(id)} is no id of a file at ${provider}: they look like bucket/path`, {
      code: 'invalid_id',
      provider,
    });
  const [bucket = '', ...key] = segments;
  return { bucket, key: key.join('/'), path: segments.map(encodeURIComponent).join('/') };
}

/** What a listing's `under` names: a bucket, and how keys in it begin. */
export function bucketAndPrefix(under: string): { bucket: string; prefix: string } {
  const [, bucket = '', prefix = ''] = /^([^/]*)\/?(.*)$/s.exec(under) ?? [];
  return { bucket, prefix };
}
