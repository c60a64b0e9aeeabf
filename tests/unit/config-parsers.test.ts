import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDotenv, readDotenv } from '../../src/config/layers.ts';
import { editDistance } from '../../src/config/near-misses.ts';
import { boolean, float, hostAndPort, httpUrl, integer, type Parser, path } from '../../src/config/parsers.ts';

const read = <T>(parser: Parser<T>, text: string): T | undefined => parser.safeParse(text).data;

describe('a parser', () => {
  it.each([
    ['true', true],
    ['Yes', true],
    ['1', true],
    ['on', true],
    ['off', false],
    ['NO', false],
    ['0', false],
    ['2', undefined],
    ['', undefined],
  ])('reads the boolean %j as %j', (text, value) => expect(read(boolean(), text)).toBe(value));

  it.each([['1.0'], ['1e3'], ['0x10'], ['ten'], ['11'], ['-1'], ['NaN'], ['Infinity'], ['1 0']])(
    'refuses %j as a whole number from 0 to 10',
    (text) => expect(read(integer({ min: 0, max: 10 }), text)).toBeUndefined(),
  );

  it('takes both ends of a range', () => {
    expect([read(integer({ min: 0, max: 10 }), '0'), read(integer({ min: 0, max: 10 }), ' 10 ')]).toEqual([0, 10]);
    expect([
      read(float({ min: 0, max: 1 }), '0.0'),
      read(float({ min: 0, max: 1 }), '1'),
      read(float({ min: 0, max: 1 }), '1.0001'),
    ]).toEqual([0, 1, undefined]);
  });

  it('reads back every number that it can hold', () => {
    fc.assert(
      fc.property(
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        (value) => Object.is(read(float({ min: -Infinity, max: Infinity }), String(value)), value) || value === 0,
      ),
    );
  });

  it.each(['localhost:7233', '127.0.0.1:1', '[::1]:7233', 'ns.acct.tmprl.cloud:7233'])('takes %s as an address', (text) =>
    expect(read(hostAndPort(), text)).toBe(text),
  );
  it.each(['localhost', ':7233', 'host:0', 'host:65536', 'https://host:7233', 'a b:1'])('refuses %s as an address', (text) =>
    expect(read(hostAndPort(), text)).toBeUndefined(),
  );

  it('takes a URL without its last slash, and none with credentials in it', () => {
    expect(read(httpUrl(), 'https://x.supabase.co/')).toBe('https://x.supabase.co');
    for (const refused of ['https://user:pass@x.co', 'ftp://x.co', 'x.co', 'https://x.co?key=1'])
      expect(read(httpUrl(), refused)).toBeUndefined();
  });

  it('counts a relative path from the working folder', () => {
    expect([read(path('/w'), 'a/../b'), read(path('/w'), '/c')]).toEqual(['/w/b', '/c']);
  });
});

describe('a dotenv file', () => {
  it('gives back what was written to it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'cutover-dotenv-'));
    const file = join(folder, 'stack.env');
    const value = fc
      .string({ unit: fc.constantFrom(...'abcXYZ019 #=$:/.-_\'"`+@\n') })
      .filter((text) => !(text.includes("'") && text.includes('"') && text.includes('`')));
    fc.assert(
      fc.property(value, value, (one, two) => {
        writeFileSync(file, formatDotenv({ ONE: one, TWO: two }));
        expect(readDotenv(file)).toEqual({ ONE: one, TWO: two });
      }),
    );
    rmSync(folder, { recursive: true });
  });

  it('refuses a value that no quotes can hold', () => {
    expect(() => formatDotenv({ KEY: `'"\`` })).toThrow('KEY');
  });
});

describe('the distance between two names', () => {
  it('is 0 for the same name, 1 for a slip, and the same both ways', () => {
    expect([editDistance('ABC', 'abc'), editDistance('SUPABASE_BUKET', 'SUPABASE_BUCKET')]).toEqual([0, 1]);
    fc.assert(fc.property(fc.string(), fc.string(), (a, b) => editDistance(a, b) === editDistance(b, a)));
  });
});
