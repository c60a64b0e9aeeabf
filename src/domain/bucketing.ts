/**
 * Which users a share covers. The same rule as the fractional evaluation of OpenFeature's flagd: a user's bucket follows from the
 * flag and the user alone, so that raising a share never moves anybody back.
 */

/** A share of 100 % is so many buckets: a thousandth of a percent is the finest. */
const BUCKETS = 100_000;

/** The flag under which a tool's share is known to other programs. */
export const flagKey = (tool: string): string => `cutover.${tool}`;

/** A user's bucket under one flag, 0 to 99,999. */
export type Bucketer = (targetingKey: string) => number;

/** Nothing is allocated for a key in ASCII: its characters are its bytes. */
export function createBucketer(flag: string): Bucketer {
  const prefix = new TextEncoder().encode(flag);
  const whole = prefix.length & ~3;
  const start = blocksOf(prefix, whole);
  let startBlock = 0;
  for (let at = whole; at < prefix.length; at += 1) startBlock |= (prefix[at] ?? 0) << (8 * (at - whole));
  const startShift = 8 * (prefix.length - whole);
  return (targetingKey) => {
    let hash = start;
    let block = startBlock;
    let shift = startShift;
    for (let at = 0; at < targetingKey.length; at += 1) {
      const code = targetingKey.charCodeAt(at);
      if (code > 127) return toBucket(murmur3(new TextEncoder().encode(flag + targetingKey)));
      block |= code << shift;
      shift += 8;
      if (shift === 32) {
        hash = withBlock(hash, block);
        block = 0;
        shift = 0;
      }
    }
    return toBucket(finished(hash, block, prefix.length + targetingKey.length));
  };
}

/** Exact: the product stays below 2^53. */
const toBucket = (hash: number): number => Math.floor((hash * BUCKETS) / 2 ** 32);

/** @param percentage 0 to 100, fractions allowed */
export function isCovered(bucket: number, percentage: number): boolean {
  return bucket < Math.round((percentage * BUCKETS) / 100);
}

/**
 * MurmurHash3 x86 32 bit, seed 0, as an unsigned number.
 * Source: https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp (public domain).
 */
export function murmur3(bytes: Uint8Array): number {
  const whole = bytes.length & ~3;
  let tail = 0;
  for (let at = bytes.length - 1; at >= whole; at -= 1) tail = (tail << 8) | (bytes[at] ?? 0);
  return finished(blocksOf(bytes, whole), tail, bytes.length);
}

function blocksOf(bytes: Uint8Array, end: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let hash = 0;
  for (let at = 0; at < end; at += 4) hash = withBlock(hash, view.getUint32(at, true));
  return hash;
}

function withBlock(hash: number, block: number): number {
  const mixed = hash ^ scrambled(block);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

function finished(hash: number, tail: number, length: number): number {
  let mixed = hash ^ scrambled(tail) ^ length;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

function scrambled(block: number): number {
  const mixed = Math.imul(block, 0xcc9e2d51);
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
}
