import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addCounts,
  afterPage,
  copiesWith,
  describeCounts,
  describeSweep,
  quotaExcesses,
  SWEEP_OUTCOMES,
  SWEEP_REASONS,
  type SweepCount,
  startSweep,
  sweepsMissed,
} from '../../src/domain/retention.ts';

const count: fc.Arbitrary<SweepCount> = fc.record({
  action: fc.constantFrom('mark', 'purge'),
  reason: fc.constantFrom(...SWEEP_REASONS),
  outcome: fc.constantFrom(...SWEEP_OUTCOMES),
  copies: fc.nat(1000),
  bytes: fc.nat(1_000_000),
});
const counts = fc.array(count, { maxLength: 20 });
const marked = (copies: number, bytes = copies): SweepCount => ({ action: 'mark', reason: 'expired', outcome: 'done', copies, bytes });

describe('the counts of a sweep', () => {
  test('are the same in whatever order and parts the pages come', () =>
    fc.assert(
      fc.property(counts, counts, counts, (a, b, c) => {
        expect(addCounts(a, b, c)).toEqual(addCounts(c, a, b));
        expect(addCounts(addCounts(a, b), c)).toEqual(addCounts(a, b, c));
      }),
    ));
  test('lose no copy and no byte, and have one line for each kind', () =>
    fc.assert(
      fc.property(counts, (list) => {
        const added = addCounts(list);
        const copies = list.reduce((sum, { copies }) => sum + copies, 0);
        expect(copiesWith(added, {})).toBe(copies);
        expect(new Set(added.map(({ action, reason, outcome }) => `${action} ${reason} ${outcome}`)).size).toBe(added.length);
      }),
    ));
  test('are read by people as one line for each reason', () =>
    expect(
      describeCounts([
        marked(20, 4096),
        { ...marked(1), reason: 'orphaned', outcome: 'planned' },
        { ...marked(3), action: 'purge' },
        { ...marked(2), action: 'purge', outcome: 'failed' },
      ]),
    ).toEqual([
      'expired: 20 copies marked as deleted (4.0 KiB), 3 copies purged (3 B), 2 copies could not be purged',
      'orphaned: 1 copy would be marked as deleted (1 B)',
    ]));
});

describe('a sweep', () => {
  test('goes through its phases in one order, each page after page', () => {
    let progress = startSweep('id', false, 0);
    const seen: string[] = [];
    for (const next of [null, 'a', 'b', null, null, null, 'c', null]) {
      progress = afterPage(progress, { next, counts: [marked(1)] });
      seen.push(`${progress.phase} ${progress.cursor ?? ''}`.trim());
    }
    expect(seen).toEqual(['expired', 'expired a', 'expired b', 'orphaned', 'quota', 'purge', 'purge c', 'recording']);
    expect([progress.pages, copiesWith(progress.counts, { reason: 'expired' })]).toEqual([8, 8]);
  });
  test('does a page again that was left before its end, also the first and the last one', () => {
    const purging = { ...startSweep('id', false, 0), phase: 'purge' as const };
    for (const next of [null, 'behind it']) {
      expect(afterPage(purging, { next, counts: [], again: true })).toMatchObject({ phase: 'purge', cursor: null });
      expect(afterPage({ ...purging, cursor: 'here' }, { next, counts: [], again: true })).toMatchObject({
        phase: 'purge',
        cursor: 'here',
      });
    }
  });
  test('tells each note once, and not without end', () => {
    let progress = startSweep('id', false, 0);
    for (let page = 0; page < 200; page += 1)
      progress = afterPage(progress, { next: 'more', counts: [], notes: ['the same', `note ${page}`] });
    expect(progress.notes.filter((note) => note === 'the same')).toHaveLength(1);
    expect(progress.notes).toHaveLength(50);
  });
  test('says what it is at, what it did and what a person should know', () => {
    const progress = afterPage(startSweep('id', false, 0), { next: null, counts: [marked(2)], notes: ['kimi could not be counted'] });
    expect(describeSweep({ ...progress, reason: 'look', status: 'paused' })).toBe(
      '**paused** (look): sweep, looks for what has expired; 1 page so far\n\n- expired: 2 copies marked as deleted (2 B)\n\n- note: kimi could not be counted',
    );
    expect(describeSweep(startSweep('id', true, 0))).toMatch(/dry run: changes nothing, begins.*\n\n- nothing so far/);
  });
});

describe('room at an account', () => {
  const use = (used: number, limit = 1000) => ({ kind: 'files', purpose: null, used, limit }) as const;
  const rules = { start: 0.9, target: 0.8 };
  test('is made from the start of the rules on, down to their target', () => {
    expect(quotaExcesses([use(899)], rules)).toEqual([]);
    expect(quotaExcesses([use(900)], rules)).toEqual([{ kind: 'files', purpose: null, excess: 100 }]);
    expect(quotaExcesses([{ ...use(95, 100), kind: 'bytes', purpose: 'extract' }], rules)).toMatchObject([
      { kind: 'bytes', purpose: 'extract', excess: 15 },
    ]);
  });
  test('never grows with more room, and is never more than there is', () =>
    fc.assert(
      fc.property(fc.nat(2000), fc.nat(2000), (one, other) => {
        const of = (used: number) => quotaExcesses([use(used)], rules)[0]?.excess ?? 0;
        expect(of(Math.min(one, other))).toBeLessThanOrEqual(of(Math.max(one, other)));
        expect(of(one)).toBeLessThanOrEqual(one);
      }),
    ));
});

test.each([
  [0, 0],
  [24, 0],
  [29, 0],
  [31, 1],
  [48, 1],
  [55, 2],
  [-5, 0],
])('%d hours after the last sweep of a nightly schedule, %d are missed', (hours, missed) =>
  expect(sweepsMissed(0, hours * 3_600_000, 24 * 3_600_000)).toBe(missed),
);
