import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { meaningOfKey, objectKey } from '../../src/domain/object-key.ts';
import { isDoubtful, isThrough, startReconcile, withReconcilePage } from '../../src/domain/reconcile-run.ts';
import { type CopyFacts, isDisagreement, isLeftStaged, judgeObject, type ListedObject } from '../../src/domain/reconciliation.ts';

const SHA = 'a'.repeat(64);
const ID = `bucket/${objectKey(SHA, 'live')}`;
const copy = (change: Partial<CopyFacts> = {}): CopyFacts => ({
  ...{ copyId: 'c', fileId: 'f', namespace: 'live', status: 'completed', providerFileId: ID, purpose: 'storage' },
  ...{ deleted: false, purged: false, leased: false, young: false, updatedAt: '2026-01-01', sizeBytes: 10, sha256: SHA, name: 'a.txt' },
  ...change,
});
const object = (change: Partial<ListedObject> = {}): ListedObject => ({
  ...{ id: ID, sizeBytes: 10, sha256: null, young: false, ours: true, copies: [copy()] },
  ...change,
});
const verdictOf = (change: Partial<ListedObject>) => judgeObject(object(change)).verdict;

describe('an object and the rows that could stand on it', () => {
  test.each<[string, Partial<ListedObject>, string]>([
    ['as the ledger says', {}, 'agrees'],
    ['as the ledger says, hash and all', { sha256: SHA }, 'agrees'],
    ['of another size', { sizeBytes: 11 }, 'other_size'],
    ['with another hash', { sha256: 'b'.repeat(64) }, 'other_hash'],
    ['of a file whose size nobody knows', { sizeBytes: 11, copies: [copy({ sizeBytes: null })] }, 'agrees'],
    ['of another size, written a moment ago', { sizeBytes: 11, young: true }, 'young'],
    ['of another size, whose row changed a moment ago', { sizeBytes: 11, copies: [copy({ young: true })] }, 'young'],
    ['of another size, which is being purged', { sizeBytes: 11, copies: [copy({ leased: true })] }, 'young'],
    ['that is deleted and waits for retention', { copies: [copy({ deleted: true })] }, 'awaiting_purge'],
    ['that is deleted, and damaged: a claim could take it back', { sizeBytes: 11, copies: [copy({ deleted: true })] }, 'other_size'],
    ['that no row knows', { copies: [] }, 'unknown'],
    ['that no row knows, written a moment ago', { copies: [], young: true }, 'young'],
    ["that is not Cutover's", { copies: [], ours: false }, 'foreign'],
    ["that is not Cutover's, written a moment ago", { copies: [], ours: false, young: true }, 'foreign'],
    ['under a name of somebody else, on which a row stands', { ours: false }, 'agrees'],
    ['of an upload that failed', { copies: [copy({ status: 'failed', providerFileId: null })] }, 'stranded'],
    ['of an upload whose lease ran out', { copies: [copy({ status: 'uploading', providerFileId: null })] }, 'stranded'],
    ['of an upload that is under way', { copies: [copy({ status: 'uploading', providerFileId: null, leased: true })] }, 'young'],
    ['of an upload that failed a moment ago', { copies: [copy({ status: 'failed', providerFileId: null, young: true })] }, 'young'],
    ['of an upload that failed and that retention has marked', { copies: [copy({ status: 'failed', deleted: true })] }, 'awaiting_purge'],
    ['that was purged', { copies: [copy({ deleted: true, purged: true })] }, 'purged'],
    ['that was purged and sent again', { copies: [copy(), copy({ deleted: true, purged: true })] }, 'agrees'],
    ['that was purged and then sent in vain', { copies: [copy({ purged: true }), copy({ status: 'failed' })] }, 'stranded'],
    ["that is a vendor's second one of a copy", { id: 'file-2', copies: [copy({ providerFileId: 'file-1' })] }, 'unknown'],
  ])('%s', (_, change, verdict) => {
    expect(verdictOf(change)).toBe(verdict);
  });

  const anyCopy = fc.record({
    status: fc.constantFrom('pending' as const, 'uploading' as const, 'completed' as const, 'failed' as const),
    providerFileId: fc.constantFrom(ID, null, 'elsewhere'),
    deleted: fc.boolean(),
    purged: fc.boolean(),
    leased: fc.boolean(),
    young: fc.boolean(),
  });
  const anyObject = fc
    .record({ young: fc.boolean(), ours: fc.boolean(), sizeBytes: fc.constantFrom(10, 11), copies: fc.array(anyCopy, { maxLength: 4 }) })
    .map(({ copies, ...rest }) => object({ ...rest, copies: copies.map((change) => copy(change)) }));

  test('get one verdict, in whatever order the rows come', () => {
    fc.assert(
      fc.property(anyObject, (listed) => {
        const verdicts = new Set([listed.copies, listed.copies.toReversed()].map((copies) => judgeObject({ ...listed, copies }).verdict));
        expect(verdicts.size).toBe(1);
      }),
      { numRuns: 2000 },
    );
  });

  test('never disagree while anything about them is young or under way', () => {
    fc.assert(
      fc.property(anyObject, (listed) => {
        const { verdict, copy: judged } = judgeObject(listed);
        if (!isDisagreement(verdict)) return;
        expect(listed.young).toBe(false);
        expect(judged?.leased ?? false).toBe(false);
        expect(judged?.young ?? false).toBe(false);
        // What no row stands on is nobody's only when nobody is at work on it.
        if (verdict !== 'other_size') expect(listed.copies.some(({ leased, young }) => leased || young)).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a key', () => {
  test.each<[string, string]>([
    [objectKey(SHA, 'live'), 'content'],
    [objectKey(SHA, 'shadow'), 'content'],
    [`trash/run/${objectKey(SHA, 'live')}`, 'aside'],
    ['staging/upload-1', 'aside'],
    [`live/bb/${SHA}`, 'foreign'],
    [`live/aa/${SHA}/more`, 'foreign'],
    [`alive/aa/${SHA}`, 'foreign'],
    [`x/live/aa/${SHA}`, 'foreign'],
    ['trash/', 'foreign'],
    ['trash', 'foreign'],
    ['photos/1.jpg', 'foreign'],
    ['', 'foreign'],
  ])('%s is %s', (key, kind) => {
    expect(meaningOfKey(key).kind).toBe(kind);
  });

  test.each([
    ['staging/0b0e7c1a-1111-4222-8333-0123456789ab', true],
    ['staging/0b0e7c1a-1111-4222-8333-0123456789ab.pdf', false],
    ['staging/photos/1.jpg', false],
    ['trash/staging/0b0e7c1a-1111-4222-8333-0123456789ab', false],
  ])('%s is what Cutover has staged: %s', (key, staged) => {
    expect(meaningOfKey(key)).toEqual({ kind: 'aside', staged });
  });

  test.each([
    ['2026-01-15T00:00:01Z', true],
    ['2026-01-15T00:00:00Z', false],
  ])('what was staged at new year is left over at %s: %s', (now, left) => {
    expect(isLeftStaged('2026-01-01T00:00:00Z', now)).toBe(left);
    expect(isLeftStaged(null, now)).toBe(false);
  });

  test('of a content leads back to it', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9a-f]{64}$/), fc.constantFrom('live' as const, 'shadow' as const), (sha256, namespace) => {
        expect(meaningOfKey(objectKey(sha256, namespace))).toEqual({ kind: 'content', sha256, namespace });
      }),
    );
  });
});

describe('a reconciliation', () => {
  /** The steps and providers that it goes through when every step has so many pages. */
  function way(providers: number, fix: boolean, pages: number): string[] {
    const steps: string[] = [];
    let state = startReconcile(0);
    for (let page = 1; !isThrough(state); page = state.cursor === null ? 1 : page + 1) {
      steps.push(`${state.step} ${state.at}`);
      state = withReconcilePage(state, { counts: { objects: 1 }, next: page < pages ? String(page) : null }, { providers, fix });
    }
    expect(state.pages).toBe(steps.length);
    expect(state.counts.objects).toBe(steps.length);
    return steps;
  }

  test('looks at every provider in both directions before it settles anything', () => {
    expect(way(2, true, 1)).toEqual(['objects 0', 'copies 0', 'objects 1', 'copies 1', 'settling 2']);
    expect(way(2, false, 1)).toEqual(['objects 0', 'copies 0', 'objects 1', 'copies 1']);
    expect(way(1, true, 2)).toEqual(['objects 0', 'objects 0', 'copies 0', 'copies 0', 'settling 1', 'settling 1']);
  });

  test.each([
    [10, 10, false],
    [11, 11, true],
    [11, 110, false],
    [12, 110, true],
    [0, 0, false],
  ])('doubts %i unknown objects of %i: %s', (unknown, objects, doubtful) => {
    expect(isDoubtful({ unknown, objects })).toBe(doubtful);
  });

  test('doubts a provider whose unknown objects are few only beside those of somebody else', () => {
    const page = { counts: { objects: 1_000, foreign: 970, unknown: 15 }, next: null };
    expect(withReconcilePage(startReconcile(0), page, { providers: 1, fix: true })).toMatchObject({ doubtful: [0] });
  });

  test('doubts a provider by its own objects, however many the others have, and by all of its pages', () => {
    const seen = [
      { counts: { objects: 500, unknown: 3 }, next: 'a' },
      { counts: { objects: 500, unknown: 3 }, next: null },
      { counts: {}, next: null },
      { counts: { objects: 8, unknown: 6 }, next: 'b' },
      { counts: { objects: 8, unknown: 6 }, next: null },
      { counts: {}, next: null },
    ];
    const end = seen.reduce((state, page) => withReconcilePage(state, page, { providers: 2, fix: true }), startReconcile(0));
    expect(end).toMatchObject({ step: 'settling', doubtful: [1] });
  });
});
