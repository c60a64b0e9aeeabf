import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ComparisonRules, compare, type JsonValue, type Observation } from '../../src/domain/comparison.ts';
import { seeded } from '../support/seeded.ts';

const RULES: ComparisonRules = { fields: null, ignore: [], clean: {}, timing: null };
const ok = (result: Record<string, JsonValue>, ms = 10): Observation => ({ ok: true, result, ms });
const failed = (code: string): Observation => ({ ok: false, code, ms: 10 });
const differing = (a: Record<string, JsonValue>, b: Record<string, JsonValue>, rules: Partial<ComparisonRules> = {}) =>
  compare(ok(a), ok(b), { ...RULES, ...rules }).mismatches;

describe('a comparison', () => {
  test('names the fields that differ, by their paths', () =>
    expect(
      differing({ size: 1, meta: { owner: 'a', tags: ['x'] }, same: null }, { size: 2, meta: { owner: 'b', tags: ['x'] }, same: null }),
    ).toEqual(['meta.owner', 'size']));
  test('takes a field that only one side has for a difference', () => expect(differing({ a: 1 }, { a: 1, b: null })).toEqual(['b']));
  test('tells null, 0, empty text and a missing field apart', () => {
    const values: Record<string, JsonValue>[] = [{ a: null }, { a: 0 }, { a: '' }, { a: false }, { a: {} }, { a: [] }, {}];
    for (const one of values) for (const other of values) expect(differing(one, other)).toEqual(one === other ? [] : ['a']);
  });
  test('does not depend on the order of keys', () =>
    expect(differing({ a: { x: 1, y: [{ p: 1, q: 2 }] } }, { a: { y: [{ q: 2, p: 1 }], x: 1 } })).toEqual([]));
  test('looks at the named fields alone', () => expect(differing({ a: 1, b: 1 }, { a: 1, b: 2 }, { fields: ['a'] })).toEqual([]));
  test('passes over what is to be ignored, with all below it', () =>
    expect(differing({ id: 1, meta: { at: 1, x: 1 } }, { id: 2, meta: { at: 2, x: 2 } }, { ignore: ['id', 'meta'] })).toEqual([]));
  test('compares cleaned values', () => {
    const clean = { name: 'basename', type: 'essence', tags: 'sorted', note: 'trim', state: 'lowercase' } as const;
    const a = { name: 'https://old/x/report.pdf?sig=1', type: 'text/plain; charset=utf-8', tags: ['b', 'a'], note: ' n ', state: 'OK' };
    const b = { name: 'bucket/ab/report.pdf', type: 'text/plain', tags: ['a', 'b'], note: 'n', state: 'ok' };
    expect(differing(a, b, { clean })).toEqual([]);
    expect(differing(a, b)).toEqual(['name', 'note', 'state', 'tags', 'type']);
  });
  test.each<[string, Observation, Observation, string, string[]]>([
    ['only the candidate', ok({}), failed('timeout'), 'candidateOnly', ['outcome']],
    ['only legacy', failed('timeout'), ok({}), 'legacyOnly', ['outcome']],
    ['both, in the same way', failed('timeout'), failed('timeout'), 'both', []],
    ['both, each in its own way', failed('timeout'), failed('rejected'), 'both', ['code']],
    ['neither', ok({}), ok({}), 'neither', []],
  ])('says who failed: %s', (_, control, candidate, pair, mismatches) =>
    expect(compare(control, candidate, RULES)).toEqual({ pair, mismatches }),
  );
  test('has timing as a field of its own, with slack', () => {
    const timing = { ratio: 2, slackMs: 50 };
    const slow = (ms: number) => compare(ok({}, 100), ok({}, ms), { ...RULES, timing }).mismatches;
    expect(slow(250)).toEqual([]);
    expect(slow(251)).toEqual(['timing']);
    expect(compare(ok({}, 1), ok({}, 9999), RULES).mismatches).toEqual([]);
  });
  test('of anything with itself finds nothing', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (result) => {
        const copy = JSON.parse(JSON.stringify(result));
        expect(compare(ok(JSON.parse(JSON.stringify(result))), ok(copy), RULES).mismatches).toEqual([]);
      }),
    );
  });
  test('finds 100 differences planted among 10,000, and invents none', () => {
    const random = seeded(5);
    const planted = new Set<number>();
    while (planted.size < 100) planted.add(Math.floor(random() * 10_000));
    const fields = ['sizeBytes', 'sha256', 'mimeType', 'meta.owner'];
    const found = Array.from({ length: 10_000 }, (_, at) => {
      const result = () => ({ sizeBytes: at, sha256: `${at}`.padStart(64, '0'), mimeType: 'text/plain', meta: { owner: `u${at}` } });
      const candidate = result();
      const field = fields[at % fields.length] ?? '';
      if (planted.has(at)) {
        if (field === 'sizeBytes') candidate.sizeBytes += 1;
        else if (field === 'meta.owner') candidate.meta.owner = 'somebody else';
        else candidate[field as 'sha256' | 'mimeType'] += '!';
      }
      return compare(ok(result()), ok(candidate), RULES).mismatches.map((mismatch) => ({ at, mismatch, right: mismatch === field }));
    }).flat();
    expect(found).toHaveLength(100);
    expect(found.every(({ at, right }) => right && planted.has(at))).toBe(true);
  });
});
