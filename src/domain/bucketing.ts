/**
 * Which users a share covers. The same rule as the fractional evaluation of OpenFeature's flagd: a user's bucket follows from the
 * flag and the user alone, so that raising a share never moves anybody back.
 */

/** A share of 100 % is so many buckets: a thousandth of a percent is the finest. */
const BUCKETS = 100_000;

/** The flag under which a tool's share is known to other programs. */
export const flagKey = (tool: string): string => `cutover.${tool}`;

/** 0 to 99,999. */
export function bucketOf(flag: string, targetingKey: string): number {
  const hash = murmur3(new TextEncoder().encode(flag + targetingKey));
  // Exact: the product stays below 2^53.
  return Math.floor((hash * BUCKETS) / 2 ** 32);
}

/** @param percentage 0 to 100, fractions allowed */
export function isCovered(bucket: number, percentage: number): boolean {
  return bucket < Math.round((percentage * BUCKETS) / 100);
}

/**
 * MurmurHash3 x86 32 bit, seed 0, as an unsigned number.
 * Source: https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp (public domain).
 */
export function murmur3(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const whole = bytes.length & ~3;
  let hash = 0;
  for (let at = 0; at < whole; at += 4) {
    hash ^= scrambled(view.getUint32(at, true));
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let at = bytes.length - 1; at >= whole; at -= 1) tail = (tail << 8) | (bytes[at] ?? 0);
  hash ^= scrambled(tail) ^ bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function scrambled(block: number): number {
  const mixed = Math.imul(block, 0xcc9e2d51);
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
}
