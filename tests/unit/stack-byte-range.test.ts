import { expect, test } from 'vitest';
import { parseRange } from '../../src/stack/lite/byte-range.ts';

test('first and last byte, an open end and a suffix are ranges', () => {
  expect(parseRange('bytes=2-5', 10)).toEqual({ first: 2, last: 5 });
  expect(parseRange('bytes=2-', 10)).toEqual({ first: 2, last: 9 });
  expect(parseRange('bytes=-3', 10)).toEqual({ first: 7, last: 9 });
});

test('a range ends where the object ends', () => {
  expect(parseRange('bytes=2-99', 10)).toEqual({ first: 2, last: 9 });
  expect(parseRange('bytes=-99', 10)).toEqual({ first: 0, last: 9 });
});

test('a range that begins after the end cannot be satisfied, and an empty object has none', () => {
  expect(parseRange('bytes=10-', 10)).toBe('unsatisfiable');
  expect(parseRange('bytes=0-0', 0)).toBe('unsatisfiable');
  expect(parseRange('bytes=-0', 10)).toBe('unsatisfiable');
  expect(parseRange('bytes=-5', 0)).toBe('unsatisfiable');
});

test('what is not a single range of bytes is ignored', () => {
  for (const header of [null, '', 'bytes=-', 'bytes=5-2', 'bytes=0-1,3-4', 'lines=1-2', 'bytes=a-b'])
    expect(parseRange(header, 10), String(header)).toBeNull();
});
