import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addEnding, describeEnding, type EndingCopies } from '../../src/domain/copy-age.ts';

const ending: fc.Arbitrary<EndingCopies[]> = fc.array(
  fc
    .record({ provider: fc.constantFrom('gemini', 'glm', 'openai'), ending: fc.nat(9), inMs: fc.nat(1000), ended: fc.nat(9) })
    .map(({ inMs, ...of }) => ({ ...of, firstEndsInMs: of.ending > 0 ? inMs : null })),
  { maxLength: 10 },
);

describe('copies that a sweep leaves though their provider drops them', () => {
  test('are counted once by provider, in whatever order and parts the pages come', () =>
    fc.assert(
      fc.property(ending, ending, (a, b) => {
        const all = addEnding(a, b);
        expect(all).toEqual(addEnding(b, a));
        expect(all).toEqual(addEnding(addEnding(a), b));
        expect(new Set(all.map(({ provider }) => provider)).size).toBe(all.length);
        for (const { provider, ending, ended, firstEndsInMs } of all) {
          const of = [...a, ...b].filter((one) => one.provider === provider);
          expect(ending).toBe(of.reduce((sum, one) => sum + one.ending, 0));
          expect(ended).toBe(of.reduce((sum, one) => sum + one.ended, 0));
          expect(firstEndsInMs === null).toBe(ending === 0);
          expect(of.every((one) => one.firstEndsInMs === null || one.firstEndsInMs >= (firstEndsInMs ?? 0))).toBe(true);
        }
      }),
    ));
  test('are told of with what to do, and not where there are none', () => {
    expect(describeEnding({ provider: 'glm', ending: 0, firstEndsInMs: null, ended: 0 })).toEqual([]);
    expect(describeEnding({ provider: 'glm', ending: 0, firstEndsInMs: null, ended: 1 })).toEqual([
      expect.stringMatching(/^1 copy .* was dropped by glm.*npx cutover ensure/),
    ]);
    expect(describeEnding({ provider: 'glm', ending: 1200, firstEndsInMs: 90_000_000, ended: 0 })).toEqual([
      expect.stringMatching(/^1,200 copies .* the first within 1 d 1 h, will be dropped by glm.*--lasting/),
    ]);
  });
});
