import { InvalidArgumentError } from 'commander';

const UNITS: Readonly<Record<string, number>> = { '': 0, K: 1, M: 2, G: 3, T: 4 };

/** `50MB`, `1.5 GiB`, `4096`: in bytes. Units are binary ones however they are written, as in all of our settings. */
export function byteSize(text: string): number {
  const [, number = '', unit = ''] = /^\s*(\d+(?:\.\d+)?)\s*([KMGT])?i?B?\s*$/i.exec(text) ?? [];
  const bytes = Math.round(Number(number) * 1024 ** (UNITS[unit.toUpperCase()] ?? 0));
  if (number === '' || !Number.isSafeInteger(bytes))
    throw new InvalidArgumentError('It must be a size such as 50MB, 1.5GB or 4096 (bytes).');
  return bytes;
}
