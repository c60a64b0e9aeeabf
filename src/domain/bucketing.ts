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

/** Nothing is allocated for a key: its UTF-8 is hashed as its characters are read. */
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
    let length = prefix.length + targetingKey.length;
    for (let at = 0; at < targetingKey.length; ) {
      const four = fourAt(targetingKey, at);
      if (four >= 0) {
        hash = withBlock(hash, block | (four << shift));
        // What found no room. In two shifts, because one by 32 would be none.
        block = (four >>> 1) >>> (31 - shift);
        at += 4;
        continue;
      }
      const point = scalarAt(targetingKey, at);
      const bytes = utf8Of(point);
      const size = point > 0xffff ? 4 : point > 0x7ff ? 3 : point > 0x7f ? 2 : 1;
      const units = size === 4 ? 2 : 1;
      at += units;
      length += size - units;
      block |= bytes << shift;
      shift += 8 * size;
      if (shift >= 32) {
        shift -= 32;
        hash = withBlock(hash, block);
        block = (bytes >>> 1) >>> (8 * size - 1 - shift);
      }
    }
    return toBucket(finished(hash, block, length));
  };
}

/** The next four characters as bytes, the first in the lowest eight bits; -1 where there are fewer, or one is not ASCII. */
function fourAt(text: string, at: number): number {
  if (at + 4 > text.length) return -1;
  const a = text.charCodeAt(at);
  const b = text.charCodeAt(at + 1);
  const c = text.charCodeAt(at + 2);
  const d = text.charCodeAt(at + 3);
  return (a | b | c | d) > 0x7f ? -1 : a | (b << 8) | (c << 16) | (d << 24);
}

/** As a TextEncoder reads it: half a character counts as U+FFFD. */
function scalarAt(text: string, at: number): number {
  const point = text.codePointAt(at) ?? 0;
  return point >= 0xd800 && point <= 0xdfff ? 0xfffd : point;
}

/** The bytes of a character, the first in the lowest eight bits. */
function utf8Of(point: number): number {
  if (point < 0x80) return point;
  const last = 0x80 | (point & 0x3f);
  if (point < 0x800) return 0xc0 | (point >> 6) | (last << 8);
  const third = 0x80 | ((point >> 6) & 0x3f);
  if (point < 0x10000) return 0xe0 | (point >> 12) | (third << 8) | (last << 16);
  return 0xf0 | (point >> 18) | ((0x80 | ((point >> 12) & 0x3f)) << 8) | (third << 16) | (last << 24);
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
