import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countOf, formatBytes, formatCount, formatDuration, printable } from '../../src/domain/format.ts';

describe('what people read', () => {
  it.each([
    [0, '0 B'],
    [1, '1 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [1536, '1.5 KiB'],
    [102_400, '100 KiB'],
    [1024 * 1024 - 1, '1.0 MiB'],
    [5 * 1024 * 1024 + 1, '5.0 MiB'],
    [2 ** 30, '1.0 GiB'],
    [2 ** 50 * 5000, '5000 PiB'],
  ])('shows %d bytes as %s', (bytes, shown) => expect(formatBytes(bytes)).toBe(shown));

  it.each([
    [0, '0.0 s'],
    [400, '0.4 s'],
    [9_949, '9.9 s'],
    [9_950, '10 s'],
    [59_499, '59 s'],
    [59_500, '1 min'],
    [185_000, '3 min 5 s'],
    [3_599_600, '1 h'],
    [7_800_000, '2 h 10 min'],
    [86_400_000 * 4 + 3_600_000, '4 d 1 h'],
  ])('shows %d ms as %s', (ms, shown) => expect(formatDuration(ms)).toBe(shown));

  it('puts commas between thousands, and knows one from many', () => {
    expect([formatCount(0), formatCount(999), formatCount(1000), formatCount(1_234_567)]).toEqual(['0', '999', '1,000', '1,234,567']);
    expect([countOf(1, 'file'), countOf(0, 'file'), countOf(2, 'copy', 'copies')]).toEqual(['1 file', '0 files', '2 copies']);
  });
});

describe('a name from outside', () => {
  it('cannot break a line, move the cursor or turn the direction of text', () => {
    expect(printable('a\nb\u001b[2Jc\u202edx\tÿ 😀 "é"')).toBe('a\\nb\\u{1b}[2Jc\\u{202e}dx\\tÿ 😀 "é"');
    const character = fc
      .oneof(fc.integer({ min: 0, max: 0x9f }), fc.integer({ min: 0x2000, max: 0x2070 }))
      .map((code) => String.fromCodePoint(code));
    fc.assert(fc.property(fc.string({ unit: character }), (name) => !/[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/u.test(printable(name))));
  });
});
