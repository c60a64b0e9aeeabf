import { ValidationError } from '../domain/errors.ts';
import { type StoredObject, storedObjectOf } from './provider.ts';

export interface ObjectAddress {
  bucket: string;
  key: string;
  /** Escaped, for a URL. */
  path: string;
}

/**
 * Takes an id `<bucket>/<key>` apart. Throws ValidationError for what is none, before "..", which URLs fold, can lead to
 * another object.
 */
export function objectAddress(id: string): ObjectAddress {
  const segments = id.split('/');
  if (segments.length < 2 || segments.some((segment) => segment === '' || segment === '.' || segment === '..'))
    throw new ValidationError(`${JSON.stringify(id)} is no id of a file in Supabase Storage: they look like bucket/path`, {
      code: 'invalid_id',
      provider: 'supabase',
    });
  const [bucket = '', ...key] = segments;
  return { bucket, key: key.join('/'), path: segments.map(encodeURIComponent).join('/') };
}

/** The type to send: Supabase would parse a body that says it is a form. */
export function wireType(mimeType: string): string {
  return /^multipart\//i.test(mimeType) ? 'application/octet-stream' : mimeType;
}

export interface ObjectInfo {
  size?: number | null;
  content_type?: string | null;
  created_at?: string | null;
  metadata?: { size?: number; contentLength?: number; mimetype?: string } | null;
}

/** Supabase Storage tells size and type at the top, Supabase Lite below `metadata`. */
export function storedObject(id: string, info: ObjectInfo): StoredObject {
  return storedObjectOf({
    id,
    sizeBytes: Number(info.size ?? info.metadata?.size ?? info.metadata?.contentLength),
    mimeType: info.content_type ?? info.metadata?.mimetype ?? null,
    createdAt: info.created_at ?? null,
    name: id.split('/').at(-1) ?? null,
  });
}
