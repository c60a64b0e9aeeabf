import fc from 'fast-check';
import postgres, { type Sql } from 'postgres';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { FileCopy } from '../../src/domain/models.ts';
import type { Claim, ClaimRequest, Ledger } from '../../src/ledger/ledger.ts';
import { createSupabaseLedger } from '../../src/ledger/supabase-ledger.ts';
import { claimRequest, reference } from './ledger-samples.ts';

/**
 * Several owners work on one content for two purposes, whose copies share an object as content-addressed ones do. Each follows a
 * script; the scripts of a round run at once, so that the database chooses the order of their steps.
 */
const OBJECT = 'the object';
const PURPOSES = ['storage', 'batch'] as const;
const ACTIONS = [
  ...(['claim', 'complete', 'fail', 'loseLease', 'invalidate', 'hold', 'release'] as const),
  ...(['delete', 'restore', 'beginPurge', 'completePurge', 'failPurge'] as const),
];
type Action = (typeof ACTIONS)[number];
const natural = fc.constantFrom<Action[]>(
  ['claim'],
  ['claim', 'complete'],
  ['claim', 'fail'],
  ['claim', 'loseLease', 'complete'],
  ['release', 'delete', 'beginPurge'],
  ['release', 'delete', 'beginPurge', 'completePurge'],
  ['release', 'delete', 'beginPurge', 'failPurge'],
  ['delete', 'beginPurge', 'loseLease', 'completePurge'],
  ['hold'],
);
const script = fc.record({
  owner: fc.constantFrom('ann', 'bob', 'cid'),
  purpose: fc.constantFrom(...PURPOSES),
  actions: fc.oneof(natural, fc.array(fc.constantFrom(...ACTIONS), { minLength: 1, maxLength: 3 })),
});
interface Script {
  owner: string;
  purpose: string;
  actions: Action[];
}
interface Answer {
  owner: string;
  purpose: string;
  claim: Claim;
}

const isLive = (copy: FileCopy) => copy.deletedAt === null && copy.status !== 'failed';

/** Follows a script; answers what its claims were told. */
async function follow(
  { owner, purpose, actions }: Script,
  request: ClaimRequest,
  fileId: string,
  ledger: Ledger,
  sql: Sql,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  const copyOf = async () => (await ledger.copies(fileId)).findLast((copy) => copy.purpose === purpose)?.id;
  let copyId = await copyOf();
  for (const action of actions) {
    if (action === 'claim') {
      const claim = await ledger.claim({ ...request, purpose, owner });
      answers.push({ owner, purpose, claim });
      copyId = claim.copyId;
    }
    if (action === 'hold') await ledger.addReference(fileId, reference({ keep: 'keep', name: owner }));
    if (action === 'release') for (const held of await ledger.references(fileId)) await ledger.deleteReference(held.id);
    if (action === 'delete') await ledger.softDelete(fileId, 'test');
    if (action === 'restore') await ledger.restore(fileId);
    if (copyId === undefined) continue;
    if (action === 'complete') await ledger.complete(copyId, owner, OBJECT);
    if (action === 'fail') await ledger.fail(copyId, owner, 'test_failure');
    if (action === 'invalidate') await ledger.invalidate(copyId, 'damaged');
    if (action === 'beginPurge') await ledger.beginPurge(copyId, owner, 60);
    if (action === 'completePurge') await ledger.completePurge(copyId, owner);
    if (action === 'failPurge') await ledger.failPurge(copyId, owner, 'test_failure');
    if (action === 'loseLease') await loseLeases(sql, fileId);
  }
  return answers;
}

/** Only time does this; the rows are put where time would put them. */
const loseLeases = (sql: Sql, fileId: string) =>
  sql`update provider_file_uploads set lease_expires_at = clock_timestamp() - interval '1 ms' where file_id = ${fileId} and lease_owner is not null`;

/** What must hold after a round, whatever happened in it. */
function check(before: readonly FileCopy[], after: readonly FileCopy[], round: readonly Script[], kept: boolean): void {
  for (const purpose of PURPOSES) {
    const rows = after.filter((copy) => copy.purpose === purpose);
    expect(rows.filter(isLive).length, 'live copies in one place').toBeLessThanOrEqual(1);
    expect(rows.filter((copy) => copy.purgedAt === null).length, 'rows in one place that are not purged').toBeLessThanOrEqual(1);
  }
  const leased = (copy: FileCopy) => Date.parse(copy.leaseExpiresAt ?? '') > Date.now();
  const purging = after.find((copy) => copy.deletedAt !== null && copy.purgedAt === null && leased(copy));
  if (purging !== undefined) {
    const others = after.filter((copy) => copy !== purging && copy.purgedAt === null && copy.status !== 'failed');
    expect(others, 'copies that stand on an object that is being purged').toEqual([]);
  }
  for (const copy of after) {
    if (copy.status === 'completed') expect(copy.providerFileId).toBe(OBJECT);
    if (copy.status === 'uploading') expect(copy.leaseOwner).not.toBeNull();
  }
  const did = (action: Action) => round.some(({ actions }) => actions.includes(action));
  for (const old of before) {
    const copy = after.find(({ id }) => id === old.id);
    expect(copy, 'a row of before').toBeDefined();
    if (old.purgedAt !== null) expect(copy).toEqual(old);
    if (old.status === 'completed' && copy?.status !== 'completed')
      expect(copy?.lastErrorCode, 'why it is not completed any more').not.toBeNull();
    // A lease is nobody else's while it lasts.
    if (old.leaseOwner !== null && leased(old) && !did('loseLease') && !round.some(({ owner }) => owner === old.leaseOwner))
      expect(copy).toMatchObject({ leaseOwner: old.leaseOwner, status: old.status, attempts: old.attempts });
    if (old.deletedAt === null && copy?.deletedAt !== null) expect(copy?.deletionReason, 'why it was deleted').toBe('test');
    if (kept && !did('release') && old.status === 'completed' && isLive(old))
      expect(copy?.deletedAt, 'when a kept copy was deleted').toBeNull();
  }
}

describe('Any interleaving of claims, completions, failures, lost leases, deletions and purges', () => {
  let ledger: Ledger;
  let sql: Sql;
  beforeAll(() => {
    ledger = createSupabaseLedger(inject('supabase'));
    sql = postgres(inject('postgresUrl'), { max: 4, onnotice() {} });
  });
  afterAll(() => sql.end());

  it('ends with exactly one live copy or none, and lets no completed copy go silently', async () => {
    const seen = { completed: 0, claimed: 0, busy: 0, deleted: 0, purged: 0, kept: 0 };
    const rounds = fc.array(fc.array(script, { minLength: 1, maxLength: 4 }), { minLength: 2, maxLength: 10 });
    const property = fc.asyncProperty(rounds, async (scripts) => {
      const request = claimRequest();
      const { fileId } = await ledger.claim({ ...request, owner: 'ann' });
      const read = async () => ({ copies: await ledger.copies(fileId), kept: (await ledger.references(fileId)).length > 0 });
      let before = await read();
      for (const round of scripts) {
        const answers = (await Promise.all(round.map((one) => follow(one, request, fileId, ledger, sql)))).flat();
        const after = await read();
        check(before.copies, after.copies, round, before.kept);
        if (round.every(({ actions }) => actions.every((action) => action === 'claim')))
          for (const purpose of PURPOSES) {
            const winners = answers.filter((answer) => answer.purpose === purpose && answer.claim.outcome === 'claimed');
            expect(new Set(winners.map(({ owner }) => owner)).size, 'owners that won').toBeLessThanOrEqual(1);
          }
        for (const { claim } of answers) seen[claim.outcome]++;
        seen.deleted += after.copies.filter((copy) => copy.deletedAt !== null).length;
        seen.purged += after.copies.filter((copy) => copy.purgedAt !== null).length;
        seen.kept += Number(after.kept);
        before = after;
      }
      // Nothing is stuck: once the leases are over, the next owner brings it to exactly one.
      await loseLeases(sql, fileId);
      const last = await ledger.claim({ ...request, owner: 'dora' });
      expect(last.outcome).not.toBe('busy');
      if (last.outcome === 'claimed') expect(await ledger.complete(last.copyId, 'dora', OBJECT)).toBe(true);
      const live = (await ledger.copies(fileId)).filter((copy) => copy.purpose === 'storage' && isLive(copy));
      expect(live).toEqual([expect.objectContaining({ status: 'completed', providerFileId: OBJECT })]);
    });
    await fc.assert(property, { numRuns: 50, interruptAfterTimeLimit: 30_000, markInterruptAsFailure: false });
    // The runs went everywhere; otherwise they would say little.
    for (const [what, times] of Object.entries(seen)) expect(times, what).toBeGreaterThan(0);
  }, 120_000);
});
