import mime from 'mime';

/** Extensions that applications use are few; whoever makes them up gets no more room than this. */
const REMEMBERED = 500;
const known = new Map<string, string | null>();

/** By the extension of a name; null where nobody knows it. The library's answer is remembered: it is on the way of every upload. */
export function mimeTypeFor(name: string): string | null {
  const extension = name.slice(name.lastIndexOf('.') + 1);
  const remembered = known.get(extension);
  if (remembered !== undefined) return remembered;
  const type = mime.getType(extension);
  if (known.size < REMEMBERED && extension.length < 20) known.set(extension, type);
  return type;
}
