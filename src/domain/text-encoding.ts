/** How a text is written down. UTF-16 counts with its mark alone: without one, much that is binary looks like it. */
export type TextEncoding = 'utf-8' | 'utf-16le' | 'utf-16be';

/** A whole file as text, without its mark; or why it is none. */
export type Decoded = { text: string; encoding: TextEncoding } | { text: null; why: string };

const MARKS: readonly { encoding: TextEncoding; bytes: readonly number[] }[] = [
  { encoding: 'utf-8', bytes: [0xef, 0xbb, 0xbf] },
  { encoding: 'utf-16le', bytes: [0xff, 0xfe] },
  { encoding: 'utf-16be', bytes: [0xfe, 0xff] },
];

/** All but tab, line feed, form feed and carriage return: no text that people write has them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u0008\u000b\u000e-\u001f\u007f-\u009f]/;

/** Reads a whole file as text, whatever it is called. Each byte must belong to a valid character, and none may be a control character. */
export function decodeText(bytes: Uint8Array): Decoded {
  const mark = MARKS.find((one) => one.bytes.every((byte, at) => bytes[at] === byte));
  const encoding = mark?.encoding ?? 'utf-8';
  const text = decoded(bytes.subarray(mark?.bytes.length ?? 0), encoding);
  if (text === null) return { text: null, why: `it is not valid ${encoding.toUpperCase()}` };
  const control = CONTROL.exec(text);
  if (control === null) return { text, encoding };
  return { text: null, why: `it has the control character 0x${control[0].charCodeAt(0).toString(16).padStart(2, '0')}, which no text has` };
}

function decoded(bytes: Uint8Array, encoding: TextEncoding): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
