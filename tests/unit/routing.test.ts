import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createBucketer, flagKey } from '../../src/domain/bucketing.ts';
import { createOutcomeCounter, quantileMs } from '../../src/domain/outcome-counts.ts';
import { type Routing, routeOf, STAGES, type Stage } from '../../src/domain/routing.ts';

const bucketer = createBucketer(flagKey('kimi'));
const LIVE: Routing = { master: true, tool: true, stage: 'live', share: 50 };
const route = (routing: Partial<Routing>, user: string | null = 'user-1', random = 0.5) =>
  routeOf({ ...LIVE, ...routing }, user, bucketer, () => random);

describe('an operation goes', () => {
  test.each([{ master: false }, { tool: false }])('to legacy where %o', (off) =>
    expect(route({ ...off, share: 100 })).toEqual({ arm: 'legacy', writesBoth: false, compares: false, reason: 'DISABLED' }),
  );
  test.each<[Stage, string, boolean, boolean]>([
    ['off', 'legacy', false, false],
    ['dual_write', 'legacy', true, false],
    ['shadow', 'legacy', false, true],
    ['ramp_down', 'unified', true, false],
    ['complete', 'unified', false, false],
  ])('in the stage %s to %s, whatever the share', (stage, arm, writesBoth, compares) => {
    for (const share of [0, 50, 100]) expect(route({ stage, share })).toEqual({ arm, writesBoth, compares, reason: 'STATIC' });
  });
  test('live at 0 to legacy, at 100 to unified, without asking who it is', () => {
    expect(route({ share: 0 })).toMatchObject({ arm: 'legacy', reason: 'STATIC' });
    expect(route({ share: 100 })).toMatchObject({ arm: 'unified', reason: 'STATIC' });
  });
  test('live by the user, always the same', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.double({ min: 0.1, max: 99.9, noNaN: true }), (user, share) => {
        const first = route({ share }, user, 0);
        expect(first).toMatchObject({ reason: 'SPLIT' });
        expect(route({ share }, user, 0.999)).toBe(first);
      }),
    );
  });
  test('live without a user by chance', () => {
    expect(route({ share: 10 }, null, 0.0999).arm).toBe('unified');
    expect(route({ share: 10 }, null, 0.1).arm).toBe('legacy');
  });
  test('never to both as the answer, and is compared only where legacy answers', () => {
    for (const stage of STAGES)
      for (const share of [0, 50, 100])
        for (const user of ['a', 'b', 'c', null]) {
          const { arm, compares, writesBoth } = route({ stage, share }, user);
          expect(compares && (arm === 'unified' || writesBoth)).toBe(false);
        }
  });
});

describe('of 100,000 users, with names in many scripts,', () => {
  const users = Array.from({ length: 100_000 }, (_, at) => [`user-${at}`, `Zoë ${at}`, `用户${at}`, `👩‍💻${at}`][at % 4] as string);
  const servedAt = (share: number) => new Set(users.filter((user) => route({ share }, user).arm === 'unified'));

  test.each([1, 10, 50])('%i %% are served by unified, within 0.5 points, in each script', (share) => {
    const served = servedAt(share);
    expect(Math.abs(served.size / 1000 - share)).toBeLessThanOrEqual(0.5);
    for (let script = 0; script < 4; script += 1) {
      const covered = users.filter((user, at) => at % 4 === script && served.has(user)).length / 250;
      // A quarter of the users: half the points would be too strict.
      expect(Math.abs(covered - share)).toBeLessThanOrEqual(1);
    }
  });
  test('nobody moves back when the share goes from 1 to 10 to 50 to 100 %', () => {
    let before = new Set<string>();
    for (const share of [1, 10, 50, 100]) {
      const served = servedAt(share);
      expect([...before].filter((user) => !served.has(user))).toEqual([]);
      expect(served.size).toBeGreaterThan(before.size);
      before = served;
    }
    expect(before.size).toBe(users.length);
  });
});

describe('outcomes', () => {
  const at = Date.UTC(2026, 0, 1, 12, 30, 59);
  const outcome = { tool: 'kimi', arm: 'unified', step: 1, code: null, ms: 20, atMs: at } as const;
  test('are summed by tool, arm, step and minute', () => {
    const counter = createOutcomeCounter();
    counter.add(outcome);
    counter.add({ ...outcome, code: 'timeout', ms: 700_000 });
    counter.add({ ...outcome, atMs: at + 1000 });
    counter.add({ ...outcome, arm: 'legacy' });
    expect(counter.take()).toEqual([
      {
        tool: 'kimi',
        arm: 'unified',
        step: 1,
        minute: '2026-01-01T12:30:00.000Z',
        count: 2,
        failures: { timeout: 1 },
        latency: { 25: 1, '+Inf': 1 },
      },
      { tool: 'kimi', arm: 'unified', step: 1, minute: '2026-01-01T12:31:00.000Z', count: 1, failures: {}, latency: { 25: 1 } },
      { tool: 'kimi', arm: 'legacy', step: 1, minute: '2026-01-01T12:30:00.000Z', count: 1, failures: {}, latency: { 25: 1 } },
    ]);
    expect(counter.take()).toEqual([]);
  });
  test('of arms, tools, steps and minutes that alternate are each in their row', () => {
    const counter = createOutcomeCounter();
    const kinds = [{}, { arm: 'legacy' as const }, { tool: 'supabase' }, { step: 2 }, { atMs: at + 1000 }];
    for (let round = 0; round < 3; round += 1)
      for (const [at, kind] of kinds.entries()) for (let times = 0; times <= at; times += 1) counter.add({ ...outcome, ...kind });
    expect(counter.take().map(({ count }) => count)).toEqual([3, 6, 9, 12, 15]);
    counter.add(outcome);
    expect(counter.take().map(({ count }) => count)).toEqual([1]);
  });
  test('are bounded in memory, and what is dropped is counted', () => {
    const counter = createOutcomeCounter(3);
    for (let minute = 0; minute < 10; minute += 1) counter.add({ ...outcome, atMs: at + minute * 60_000 });
    counter.add(outcome);
    expect(counter.size).toBe(3);
    expect(counter.dropped).toBe(7);
    expect(counter.take()[0]?.count).toBe(2);
  });
  test('have quantiles', () => {
    expect(quantileMs({ 10: 90, 100: 9, '+Inf': 1 }, 0.5)).toBe(10);
    expect(quantileMs({ 10: 90, 100: 9, '+Inf': 1 }, 0.99)).toBe(100);
    expect(quantileMs({ 10: 90, 100: 9, '+Inf': 1 }, 1)).toBe(Number.POSITIVE_INFINITY);
    expect(quantileMs({}, 0.5)).toBeNull();
  });
});
