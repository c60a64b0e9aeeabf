import { InvalidArgumentError } from 'commander';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sampleShare } from '../../src/cli/verify.ts';
import { describeComparison, isSampled, noFiles } from '../../src/domain/verification.ts';
import { atOnce } from '../../src/manager/at-once.ts';
import { legacyObjectId } from '../../src/manager/legacy-object.ts';

describe('a sample', () => {
  test('is taken by the id alone, and a larger one has all of a smaller', () => {
    fc.assert(
      fc.property(fc.string(), fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), (id, a, b) => {
        const [small, large] = [Math.min(a, b), Math.max(a, b)];
        if (isSampled(id, small)) expect(isSampled(id, large)).toBe(true);
        expect(isSampled(id, 1)).toBe(true);
        expect(isSampled(id, 0)).toBe(false);
      }),
    );
  });

  test.each([0.05, 0.5])('of %d has about that share', (share) => {
    const taken = Array.from({ length: 20_000 }, (_, at) => isSampled(`bucket/live/${at}`, share)).filter(Boolean).length;
    // Four standard deviations.
    expect(Math.abs(taken - 20_000 * share)).toBeLessThan(4 * Math.sqrt(20_000 * share * (1 - share)));
  });

  test.each([
    ['5%', 0.05],
    ['0.05', 0.05],
    ['.5', 0.5],
    ['100%', 1],
    ['1', 1],
  ])('is asked for as %s', (text, share) => {
    expect(sampleShare(text)).toBeCloseTo(share);
  });

  test.each(['0', '101%', '5', '-1%', 'all', '', '5 %%'])('is not asked for as %s', (text) => {
    expect(() => sampleShare(text)).toThrow(InvalidArgumentError);
  });
});

test('a verification says what it did, and no more', () => {
  expect(describeComparison(noFiles())).toBe('nothing was compared');
  expect(describeComparison({ ...noFiles(), by: { size: 2, hash: 1, download: 0 } })).toBe(
    '1 by the size and hash that the provider has on record, without reading them; 2 by the size on record alone, because the provider tells no hash',
  );
});

describe('work at once', () => {
  test('gives its results in the order of the items, never more at once than allowed', async () => {
    let running = 0;
    let most = 0;
    const results = await atOnce([5, 1, 4, 2, 3], 2, async (ms) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, ms));
      running -= 1;
      return ms * 10;
    });
    expect(results).toEqual([50, 10, 40, 20, 30]);
    expect(most).toBe(2);
  });

  test('begins nothing more once something failed', async () => {
    const begun: number[] = [];
    const work = atOnce([1, 2, 3, 4, 5, 6], 2, async (item) => {
      begun.push(item);
      if (item === 1) throw new Error('one');
      await new Promise((resolve) => setTimeout(resolve, 5));
    });
    await expect(work).rejects.toThrow('one');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(begun).toEqual([1, 2]);
  });

  test('fails when what was under way is done, so that the next attempt does not meet it', async () => {
    let under = 0;
    const work = atOnce([1, 2, 3], 3, async (item) => {
      under += 1;
      if (item > 1) await new Promise((resolve) => setTimeout(resolve, 5 * item));
      under -= 1;
      if (item < 3) throw new Error(`${item}`);
    });
    await expect(work).rejects.toThrow('1');
    expect(under).toBe(0);
  });
});

test.each([
  ['a/b.txt', 'uploads/a/b.txt'],
  ['/a/b.txt', 'uploads/a/b.txt'],
  ['uploads/a/b.txt', 'uploads/a/b.txt'],
  ['uploads-2/b.txt', 'uploads/uploads-2/b.txt'],
])('the object of an old row with the path %s is %s', (path, id) => {
  expect(legacyObjectId('uploads', path)).toBe(id);
});
