import mime from 'mime';
import { extensionOf } from '../domain/capabilities.ts';
import { type FileSource, MimeType } from '../domain/models.ts';

const UNKNOWN_TYPE = 'application/octet-stream';

/**
 * What a provider is told that a file is called: vendors go by the extension, so a name without one gets that of the file itself,
 * else one that fits its type.
 */
export function fileNameOf(source: FileSource, name: string): string {
  if (extensionOf(name) !== '') return name;
  const own = extensionOf(source.kind === 'path' ? source.path : source.name);
  const extension = own !== '' || source.kind === 'path' ? own : (mime.getExtension(source.mimeType ?? '') ?? '');
  return extension === '' || extension === 'bin' ? name : `${name}.${extension}`;
}

/** What its provider says, where that says anything; else by the name. */
export function mimeTypeOf(source: FileSource, name: string): string {
  const told = source.kind === 'path' ? null : MimeType.safeParse(source.mimeType).data;
  if (told !== null && told !== undefined && told !== UNKNOWN_TYPE) return told;
  return typeOf(name) ?? typeOf(source.kind === 'path' ? source.path : source.name) ?? UNKNOWN_TYPE;
}

/** By the extension: the library takes a name without a dot for one. */
function typeOf(name: string): string | null {
  return /[^/]\.[^./]+$/.test(name) ? mime.getType(name) : null;
}
