import { type Capabilities, givesBack } from './capabilities.ts';
import { ValidationError } from './errors.ts';

/** Whether any file sent for this purpose, or for this use, can be read back. */
export function mayGiveBack(capabilities: Capabilities, wanted: string): boolean {
  const { purposes, downloads } = capabilities;
  if (purposes === null || wanted in purposes) return givesBack(capabilities, wanted);
  const serving = Object.values(purposes).filter(({ uses }) => (uses as readonly string[]).includes(wanted));
  return serving.length === 0 ? downloads : serving.some((limits) => limits.downloads);
}

/** What verifying by download answers where there is none. */
export const notReadBack = (provider: string) =>
  new ValidationError(`${provider} does not give files back: use --verify=stored`, { code: 'not_downloadable', provider });
