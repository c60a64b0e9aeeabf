import { describe, expect, it } from 'vitest';
import { type ArmTraffic, countItem, judgeReadiness, NO_ITEMS, type ReadinessFacts } from '../../src/domain/readiness.ts';

const HOUR = 3_600_000;
const traffic = (arm: string, operations: number, change: Partial<ArmTraffic> = {}): ArmTraffic => ({
  ...{ tool: 'kimi', arm, lastAt: '2026-11-23T10:00:00Z', operations },
  ...change,
});
/** A migration that is done, of which nothing is missing. */
const facts = (change: Partial<ReadinessFacts> = {}): ReadinessFacts => ({
  migrationId: 'm',
  temporal: { phase: 'done', listed: 10 },
  items: { ...NO_ITEMS, uploaded: 7, deduplicated: 3, verifiedStored: 10 },
  unresolved: { count: 0, first: [] },
  quietForMs: 24 * HOUR,
  traffic: [traffic('legacy', 0), traffic('unified', 500)],
  requireTraffic: false,
  ...change,
});
const items = (change: Partial<ReadinessFacts['items']>) => ({ items: { ...facts().items, ...change } });
const find = (given: ReadinessFacts, name: string) => judgeReadiness(given).checks.find((check) => check.name === name);

describe('Legacy may be switched off', () => {
  it('when the migration is done, nothing is missing and legacy is quiet', () => {
    const { go, checks } = judgeReadiness(facts());
    expect(go).toBe(true);
    expect(checks.map(({ name, status, todo }) => [name, status, todo])).toEqual(
      ['migrated', 'complete', 'verified', 'resolvable', 'quiet'].map((name) => [name, 'ok', null]),
    );
    expect(find(facts(), 'quiet')?.detail).toBe('no operation on legacy within 1 d, 500 operations beside it');
  });

  it('though names were skipped that are not files; they are counted', () => {
    const skipped = facts({ temporal: { phase: 'done', listed: 12 }, ...items({ skipped: 2 }) });
    expect(judgeReadiness(skipped).go).toBe(true);
    expect(find(skipped, 'complete')?.detail).toMatch(/10 files have arrived, none failed; 2 names were skipped/);
  });

  it('where no facade reports at all, unless a report is asked for; either way it is said', () => {
    for (const requireTraffic of [false, true]) {
      const silent = facts({ traffic: [], requireTraffic });
      expect(judgeReadiness(silent).go).toBe(!requireTraffic);
      expect(find(silent, 'quiet')).toMatchObject({
        status: 'unknown',
        detail: 'no facade has reported',
        todo: expect.stringMatching(/logs/),
      });
    }
  });

  it('where facades fell silent; that is no proof that legacy is quiet, and is said', () => {
    const silent = facts({ traffic: [traffic('legacy', 0), traffic('unified', 0, { lastAt: '2026-11-23T11:00:00+00:00' })] });
    expect(judgeReadiness(silent).go).toBe(true);
    expect(find(silent, 'quiet')).toMatchObject({ status: 'unknown', detail: expect.stringMatching(/last time was 2026-11-23T11/) });
    expect(judgeReadiness({ ...silent, requireTraffic: true }).go).toBe(false);
  });
});

describe('Legacy must not be switched off', () => {
  it.each<[string, ReadinessFacts, string, string, RegExp, RegExp]>([
    ['there is no migration', facts({ migrationId: null }), 'migrated', 'missing', /no migration/, /cutover migrate <source>/],
    ['it runs', facts({ temporal: { phase: 'copying', listed: 10 } }), 'migrated', 'missing', /m is copying/, /--attach m/],
    ['it is paused', facts({ temporal: { phase: 'paused', listed: 10 } }), 'migrated', 'missing', /paused/, /migrate resume m/],
    ['it was cancelled', facts({ temporal: { phase: 'cancelled', listed: 10 } }), 'migrated', 'missing', /cancelled/, /migrate <source>/],
    ['Temporal has forgotten it', facts({ temporal: null }), 'migrated', 'unknown', /ledger has 10 files/, /migrate <source>/],
    ['the ledger lacks files', facts({ temporal: { phase: 'done', listed: 11 } }), 'migrated', 'missing', /listed 11 files/, /migrate/],
    ['files failed', facts(items({ failed: 1 })), 'complete', 'missing', /1 file failed, 0 cancelled/, /--attach m --report/],
    ['files were cancelled', facts(items({ cancelled: 2 })), 'complete', 'missing', /2 cancelled/, /--report/],
    ['nothing arrived', facts({ items: NO_ITEMS }), 'complete', 'missing', /no file has arrived/, /migrate <source>/],
    [
      'files were not verified',
      facts(items({ verifiedStored: 4, verifiedDownload: 5 })),
      'verified',
      'missing',
      /^1 file was not/,
      /--verify/,
    ],
    ['none was verified', facts(items({ verifiedStored: 0 })), 'verified', 'missing', /^10 files were not verified$/, /--verify=download/],
    [
      'old ids lead nowhere',
      facts({ unresolved: { count: 2, first: [{ oldId: 'a\nb', fileId: 'f', provider: 'gemini' }] } }),
      ...(['resolvable', 'missing', /^2 old ids lead to no copy that works now: a\\nb, …$/, /cutover ensure f --to gemini/] as const),
    ],
    [
      'legacy was used',
      facts({ traffic: [traffic('legacy', 3), traffic('unified', 500)] }),
      ...(['quiet', 'missing', /within 1 d: kimi 3 operations, last at 2026-11-23T10:00:00Z/, /unified/] as const),
    ],
  ])('while %s', (_, given, name, status, detail, todo) => {
    expect(judgeReadiness(given).go).toBe(false);
    expect(find(given, name)).toMatchObject({
      ...{ status, blocks: true },
      ...{ detail: expect.stringMatching(detail), todo: expect.stringMatching(todo) },
    });
  });

  it('also when only one of several tools still uses it', () => {
    const given = facts({ traffic: [traffic('legacy', 0), traffic('unified', 9), traffic('legacy', 1, { tool: 'supabase' })] });
    expect(find(given, 'quiet')?.detail).toMatch(/supabase 1 operation,/);
  });
});

it('Verifying is told by how it was done', () => {
  const both = facts(items({ verifiedStored: 4, verifiedDownload: 6 }));
  expect(find(both, 'verified')?.detail).toBe('6 files read back and hashed again, 4 files by the size and hash on record');
});

it('Items are counted by what became of them', () => {
  const seen = [
    ...(['uploaded', 'deduplicated', 'failed', 'skipped', 'cancelled'] as const).map((status) => ({ status, verified: 'none' as const })),
    { status: 'uploaded' as const, verified: 'download' as const },
    { status: 'deduplicated' as const, verified: 'stored' as const },
  ];
  expect(seen.reduce(countItem, NO_ITEMS)).toEqual({
    ...{ uploaded: 2, deduplicated: 2, failed: 1, cancelled: 1, skipped: 1, verifiedStored: 1, verifiedDownload: 1 },
  });
});
