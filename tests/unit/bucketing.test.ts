import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createBucketer, flagKey, isCovered, murmur3 } from '../../src/domain/bucketing.ts';
import vectors from '../vectors/bucketing.json' with { type: 'json' };

const bucketOf = (flag: string, user: string) => createBucketer(flag)(user);
const bytes = (text: string) => new TextEncoder().encode(text);

describe('a bucket', () => {
  test.each(vectors.rows)('of $targetingKey is what flagd computes', ({ targetingKey, hash, bucket }) => {
    expect(murmur3(bytes(vectors.flagKey + targetingKey))).toBe(hash);
    expect(bucketOf(vectors.flagKey, targetingKey)).toBe(bucket);
  });
  test.each(Object.entries(vectors.edgeHashes.rows))('comes from the unsigned hash: of %s it is %i', (text, hash) =>
    expect(murmur3(bytes(text))).toBe(hash),
  );
  test('is from 0 to 99,999, whatever the user is called', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (user) => {
        const bucket = bucketOf(flagKey('kimi'), user);
        return Number.isInteger(bucket) && bucket >= 0 && bucket < 100_000;
      }),
    );
  });
  test('is the same character by character and by the bytes of the whole, in any script, also where half a character is missing', () => {
    const flag = fc.string({ unit: 'binary', maxLength: 20 });
    const halves = fc.string({ unit: fc.constantFrom('a', 'é', '文', '😀', '\ud83d', '\ude00', '\ud800', '\udfff'), maxLength: 20 });
    const anybody = fc.oneof(fc.string({ maxLength: 40 }), fc.string({ unit: 'binary', maxLength: 40 }), halves);
    fc.assert(
      fc.property(flag, anybody, (name, user) => {
        expect(bucketOf(name, user)).toBe(Math.floor((murmur3(bytes(name + user)) * 100_000) / 2 ** 32));
      }),
    );
  });
});

describe('a share', () => {
  const users = Array.from({ length: 100_000 }, (_, at) => bucketOf(flagKey('kimi'), at % 2 === 0 ? `user-${at}` : `ü${at}`));
  test.each([0.07, 1, 10, 33.3, 50, 99.5])('of %f %% covers as many of 100,000 users, within 0.5 points', (percentage) => {
    const covered = users.filter((bucket) => isCovered(bucket, percentage)).length / 1000;
    expect(Math.abs(covered - percentage)).toBeLessThanOrEqual(0.5);
  });
  test('of 0 covers nobody, of 100 everybody', () => {
    expect(users.some((bucket) => isCovered(bucket, 0))).toBe(false);
    expect(users.every((bucket) => isCovered(bucket, 100))).toBe(true);
  });
  test('that grows never moves anybody back', () => {
    const share = fc.double({ min: 0, max: 100, noNaN: true });
    fc.assert(
      fc.property(fc.string(), share, share, (user, one, other) => {
        const bucket = bucketOf(flagKey('kimi'), user);
        return !isCovered(bucket, Math.min(one, other)) || isCovered(bucket, Math.max(one, other));
      }),
    );
  });
});
