/** The names under which files stand at vendors that make their own ids: readable, safe everywhere, and to be found again. */

const LONGEST_STEM_BYTES = 120;

/**
 * `report.pdf` → `report.cutover-<marker>.pdf`: the caller's name made of letters, digits, spaces and `-_()` alone (at most 120
 * bytes of UTF-8, no path), the marker, and the extension, by which vendors tell types.
 */
export function markedName(name: string, marker: string, extension: string): string {
  const base = name.split(/[/\\]/).at(-1) ?? '';
  const stem = base
    .replace(/\.[^.]*$/, '')
    .normalize('NFC')
    .replace(/[^\p{L}\p{N} _()-]+/gu, '_')
    .trim();
  return `${cut(stem).replace(/^_+$/, '') || 'file'}.cutover-${marker}${extension === '' ? '' : `.${extension}`}`;
}

/** The marker in a name; null where it is none of ours. */
export const markerIn = (name: string | null): string | null => /\.cutover-([0-9a-f-]{36})(\.|$)/.exec(name ?? '')?.[1] ?? null;

/** The name as it was before it was marked. */
export const withoutMarker = (name: string): string => name.replace(/\.cutover-[0-9a-f-]{36}(?=\.|$)/, '');

/** Whole characters, within the limit of bytes. */
function cut(text: string): string {
  let bytes = 0;
  let kept = '';
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > LONGEST_STEM_BYTES) break;
    kept += character;
  }
  return kept.trim();
}
