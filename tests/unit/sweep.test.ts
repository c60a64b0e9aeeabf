import { expect, test } from 'vitest';
import type { EndingCopies } from '../../src/domain/copy-age.ts';
import { ProviderUnavailableError } from '../../src/domain/errors.ts';
import type { BegunPurge, DuePurge, PurgeResult, RetentionLedger } from '../../src/ledger/retention-ledger.ts';
import { makeRoom, type PurgePage, purgePage } from '../../src/manager/sweep.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { createMemoryProvider } from '../support/memory-provider.ts';

const SHA = 'a'.repeat(64);
const PAGE: PurgePage = { runId: 'run', owner: 'me', after: null, limit: 10, dryRun: false, concurrency: 2 };

/** A page of the ledger with these copies, and what it is told of them. */
function ledgerWith(copies: (Partial<BegunPurge> & { copyId: string })[], stoodOn: readonly string[] = []) {
  const told: PurgeResult[] = [];
  const full = copies.map((copy): BegunPurge & DuePurge => ({
    ...{ fileId: 'file', provider: 'memory', account: 'memory/test', purpose: 'storage', namespace: 'live', reason: 'expired' },
    ...{ providerFileId: `memory/${copy.copyId}`, sha256: SHA, ...copy, sizeBytes: 1 },
  }));
  const retention = {
    duePurges: async () => ({ next: 'next', copies: full }),
    beginPurges: async (_: string, ids: readonly string[]) => ({
      begun: full.filter(({ copyId }) => ids.includes(copyId)),
      closed: 0,
      kept: 0,
    }),
    standsOn: async (_: string, objectId: string) => stoodOn.includes(objectId),
    endPurges: async (_: string, __: string, results: readonly PurgeResult[]) => void told.push(...results),
  } as unknown as RetentionLedger;
  return { retention, told };
}
const never = new AbortController().signal;
const nothingEnds = async () => ({ next: null, copies: 0, bytes: 0, kept: [] });
const dependencies = (retention: RetentionLedger, provider: Provider) => ({
  retention,
  provider: () => provider,
  providers: { all: () => [] },
});

test('An object whose id nobody knows is looked for in its own bucket alone: in another its key may be that of a live copy', async () => {
  const { retention, told } = ledgerWith([
    { copyId: 'here', providerFileId: null },
    { copyId: 'there', providerFileId: null, account: 'memory/other' },
  ]);
  const memory = createMemoryProvider();
  const deleted: string[] = [];
  await purgePage(PAGE, { stopping: never }, dependencies(retention, { ...memory, delete: async (id) => deleted.push(id) > 0 }));
  expect(deleted).toEqual([memory.idOf(SHA, 'live')]);
  expect(told.sort((a, b) => (a.copyId < b.copyId ? -1 : 1))).toEqual([
    { copyId: 'here', outcome: 'done', code: null },
    { copyId: 'there', outcome: 'skipped', code: 'other_account' },
  ]);
});

test('An object on which a copy stands under an older address is not deleted for an upload that failed under the new one', async () => {
  const memory = createMemoryProvider();
  const { retention, told } = ledgerWith([{ copyId: 'failed', providerFileId: null }], [memory.idOf(SHA, 'live') ?? '']);
  const untouched: Provider = { ...memory, delete: () => Promise.reject(new Error('the object of a live copy goes')) };
  await purgePage(PAGE, { stopping: never }, dependencies(retention, untouched));
  expect(told).toEqual([{ copyId: 'failed', outcome: 'done', code: null }]);
});

test('What an open circuit kept from being tried is left for the next sweep, and counts as no failure', async () => {
  const { retention, told } = ledgerWith([{ copyId: 'a' }]);
  const open = async () =>
    Promise.reject(new ProviderUnavailableError('left alone', { code: 'circuit_open', provider: 'memory', retryable: true }));
  const page = await purgePage(PAGE, { stopping: never }, dependencies(retention, { ...createMemoryProvider(), delete: open }));
  expect(told).toEqual([{ copyId: 'a', outcome: 'left', code: 'circuit_open' }]);
  expect(page).toMatchObject({ next: 'next', counts: [{ outcome: 'left', copies: 1 }] });
  expect(page.again).toBeUndefined();
});

test('No more deletes run at once than is allowed; a stop begins no further one and asks for the page again', async () => {
  const copies = Array.from({ length: 8 }, (_, at) => ({ copyId: `${at}` }));
  const { retention, told } = ledgerWith(copies);
  const stop = new AbortController();
  let underWay = 0;
  let most = 0;
  const slow: Provider['delete'] = async () => {
    underWay += 1;
    most = Math.max(most, underWay);
    await new Promise((resolve) => setTimeout(resolve, 5));
    underWay -= 1;
    if (told.length === 0) stop.abort();
    return true;
  };
  const page = await purgePage(PAGE, { stopping: stop.signal }, dependencies(retention, { ...createMemoryProvider(), delete: slow }));
  expect(most).toBe(2);
  expect(page.again).toBe(true);
  expect([told.filter(({ outcome }) => outcome === 'done').length, told.length]).toEqual([2, 8]);
});

test('A dry run asks no provider to delete and begins no purge', async () => {
  const { retention, told } = ledgerWith([{ copyId: 'a' }, { copyId: 'b', account: 'elsewhere/test' }]);
  const provider: Provider = { ...createMemoryProvider(), delete: () => Promise.reject(new Error('a dry run deletes')) };
  const beginPurges = () => Promise.reject(new Error('a dry run begins'));
  await purgePage({ ...PAGE, dryRun: true }, { stopping: never }, dependencies({ ...retention, beginPurges }, provider));
  expect(told.map(({ copyId, outcome }) => [copyId, outcome])).toEqual([
    ['a', 'planned'],
    ['b', 'skipped'],
  ]);
});

test('An account that cannot be counted is told of, and the others are still counted', async () => {
  const asked: string[] = [];
  const retention = {
    sweepEnding: nothingEnds,
    async sweepQuota(_: string, { provider }: { provider: string }) {
      asked.push(provider);
      return { copies: 0, bytes: 0, short: 5 };
    },
  } as unknown as RetentionLedger;
  const { capabilities, account } = createMemoryProvider();
  const place = (
    name: string,
    held: () => Promise<never> | Promise<{ files: number; bytes: number; byPurpose: Record<string, number> }>,
  ) => ({
    ...{ name, account, held },
    capabilities: { ...capabilities, quota: { files: 10, bytes: null } },
  });
  const down = place('down', () => Promise.reject(new ProviderUnavailableError('no answer', { code: 'timeout' })));
  const full = place('full', async () => ({ files: 10, bytes: 10, byPurpose: {} }));
  const { notes } = await makeRoom('run', { start: 0.9, target: 0.5 }, never, { retention, providers: { all: () => [down, full] } }, false);
  expect(asked).toEqual(['full']);
  expect(notes).toEqual([
    expect.stringMatching(/down could not be counted.*no answer/),
    expect.stringMatching(/full is nearly full \(files\), and no more files may go/),
  ]);
});

test('An object that is gone already, because its provider drops files by itself, is purged like any other', async () => {
  const { retention, told } = ledgerWith([{ copyId: 'dropped', reason: 'quota' }]);
  const page = await purgePage(PAGE, { stopping: never }, dependencies(retention, createMemoryProvider()));
  expect(told).toEqual([{ copyId: 'dropped', outcome: 'done', code: null }]);
  expect(page.counts).toMatchObject([{ action: 'purge', reason: 'quota', outcome: 'done', copies: 1 }]);
});

test('Copies near their end go page by page at the share of the rules, before room is made; those that are kept are told of once', async () => {
  const asked: unknown[] = [];
  const kept = [{ provider: 'gemini', ending: 1, firstEndsInMs: 7_200_000, ended: 2 }];
  const pages: Record<string, { next: string | null; copies: number; bytes: number; kept: EndingCopies[] }> = {
    first: { next: 'second', copies: 3, bytes: 30, kept },
    second: { next: null, copies: 1, bytes: 10, kept: [{ provider: 'gemini', ending: 1, firstEndsInMs: 3_600_000, ended: 0 }] },
  };
  const retention = {
    sweepEnding: async (...[runId, share, after]: [string, number, string | null]) => {
      asked.push([runId, share, after]);
      return pages[after ?? 'first'];
    },
  } as unknown as RetentionLedger;
  const none = { all: () => [] };
  const rules = { start: 0.9, target: 0.8 };
  const { counts, notes, next } = await makeRoom('run', rules, never, { retention, providers: none }, false);
  expect(asked).toEqual([
    ['run', 0.9, null],
    ['run', 0.9, 'second'],
  ]);
  expect([next, counts]).toEqual([null, [{ action: 'mark', reason: 'quota', outcome: 'done', copies: 4, bytes: 40 }]]);
  expect(notes).toEqual([
    '2 copies that somebody keeps or has just read, the first within 1 h, will be dropped by gemini: what is needed longer is made again by `npx cutover ensure` with --lasting',
    '2 copies that somebody keeps or has just read were dropped by gemini: no such id is handed out any more; what is needed is made again by `npx cutover ensure`',
  ]);
  const dry = await makeRoom('run', rules, never, { retention, providers: none }, true);
  expect([dry.counts[0]?.outcome, dry.notes]).toEqual(['planned', notes]);
  await expect(makeRoom('run', rules, AbortSignal.abort(), { retention, providers: none }, false)).rejects.toThrow();
  expect(asked).toHaveLength(5);
});
