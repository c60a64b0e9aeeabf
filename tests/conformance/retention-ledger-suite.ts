import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addEnding, type EndingCopies } from '../../src/domain/copy-age.ts';
import { FileNotFoundError, ValidationError } from '../../src/domain/errors.ts';
import type { SweepRules } from '../../src/domain/retention.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { QuotaRequest, RetentionLedger } from '../../src/ledger/retention-ledger.ts';
import { claimRequest, reference, won } from './ledger-samples.ts';

export interface OpenedRetention {
  ledger: Ledger;
  retention: RetentionLedger;
  /** The database behind it: no test can wait for a month. */
  sql: Sql;
  close(): Promise<void>;
}

const RULES: SweepRules = { retentionDays: 30, orphanDays: 7, graceDays: 7, quotaMinAgeDays: 1, includeReview: false };

/** What a sweep is promised, over a ledger of its own: sweeps look at everything. */
export function describeRetentionLedger(name: string, open: () => Promise<OpenedRetention>): void {
  describe(name, () => {
    let on: OpenedRetention;
    beforeAll(async () => {
      on = await open();
    });
    afterAll(() => on?.close());

    /** A completed copy of a content that was read so many days ago. */
    async function stored({
      days = 0,
      keep,
      ...change
    }: Partial<Parameters<typeof claimRequest>[0]> & { days?: number; keep?: 'keep' | 'expire' } = {}) {
      const request = claimRequest(change);
      const { fileId, copyId } = await won(on.ledger, request);
      await on.ledger.complete(copyId, request.owner, `object ${copyId}`);
      if (keep !== undefined) await on.ledger.addReference(fileId, reference({ keep }));
      await readBefore(fileId, days);
      return { request, fileId, copyId };
    }
    const readBefore = (fileId: string, days: number) =>
      on.sql`update files set accessed_at = now() - make_interval(secs => ${days * 86_400}) where id = ${fileId}`;
    const deletedBefore = (fileId: string, days: number) =>
      on.sql`update provider_file_uploads set deleted_at = now() - make_interval(secs => ${days * 86_400}) where file_id = ${fileId} and deleted_at is not null`;
    async function begin(over: Partial<SweepRules> = {}, dryRun = false): Promise<string> {
      const runId = randomUUID();
      await on.retention.beginSweep({ runId, workflowId: 'test', dryRun, rules: { ...RULES, ...over } });
      return runId;
    }
    const copyOf = async (fileId: string) => (await on.ledger.copies(fileId))[0];
    const items = async (runId: string) => await on.retention.sweepItems(runId, { after: null, limit: 10_000 });
    async function all(page: (after: string | null) => Promise<{ next: string | null }>): Promise<void> {
      for (let after: string | null = null; ; ) {
        after = (await page(after)).next;
        if (after === null) return;
      }
    }
    const expire = (runId: string, limit = 1000) => all((after) => on.retention.sweepExpired(runId, after, limit));
    const orphan = (runId: string, limit = 1000) => all((after) => on.retention.sweepOrphaned(runId, after, limit));
    /** As the sweep does, with objects that are always gone at once. */
    async function purge(runId: string, limit = 1000): Promise<string[]> {
      const purged: string[] = [];
      await all(async (after) => {
        const page = await on.retention.duePurges(runId, 'sweep', after, limit);
        const { begun } = await on.retention.beginPurges(
          runId,
          page.copies.map(({ copyId }) => copyId),
          'sweep',
          60,
        );
        purged.push(...begun.map(({ copyId }) => copyId));
        await on.retention.endPurges(
          runId,
          'sweep',
          begun.map(({ copyId }) => ({ copyId, outcome: 'done', code: null })),
        );
        return page;
      });
      return purged;
    }

    it('marks what nobody keeps and nobody has read for the days of retention, page by page, and nothing else', async () => {
      const due = [await stored({ days: 31, keep: 'expire' }), await stored({ days: 31 }), await stored({ days: 400 })];
      const kept = await stored({ days: 31, keep: 'keep' });
      const fresh = await stored({ days: 29, keep: 'expire' });
      const held = await stored({ days: 31 });
      await on.retention.holdFile(held.fileId, true, { reason: 'a case', by: 'ann' });
      const sending = await stored({ days: 31 });
      await won(on.ledger, { ...sending.request, provider: 'kimi' });
      const dry = await begin({}, true);
      await expire(dry, 2);
      for (const { fileId } of due) expect(await copyOf(fileId)).toMatchObject({ deletedAt: null });
      const runId = await begin();
      await expire(runId, 2);
      for (const { fileId } of due) expect(await copyOf(fileId)).toMatchObject({ deletionReason: 'expired' });
      for (const { fileId } of [kept, fresh, held, sending])
        expect((await on.ledger.copies(fileId)).every(({ deletedAt }) => deletedAt === null)).toBe(true);
      const marked = await items(runId);
      expect(marked.map(({ copyId }) => copyId).sort()).toEqual(due.map(({ copyId }) => copyId).sort());
      expect(marked[0]).toMatchObject({ action: 'mark', reason: 'expired', outcome: 'done', provider: 'supabase', name: 'report.txt' });
      const what = async (id: string) => (await items(id)).map(({ action, reason, copyId }) => `${action} ${reason} ${copyId}`).sort();
      expect(await what(dry)).toEqual(await what(runId));
      const again = await begin();
      await expire(again);
      expect(await items(again)).toEqual([]);
      await on.retention.holdFile(held.fileId, false, { reason: null, by: 'ann' });
    });

    it('marks copies whose upload failed so long ago, and those whose lease ran out, but no upload under way', async () => {
      const { request, fileId } = await stored({ keep: 'keep' });
      const failed = await won(on.ledger, { ...request, provider: 'kimi' });
      await on.ledger.fail(failed.copyId, request.owner, 'timeout');
      const lost = await won(on.ledger, { ...request, provider: 'glm', leaseSeconds: 0.05 });
      const sending = await won(on.ledger, { ...request, provider: 's3' });
      await sleep(100);
      const early = await begin();
      await orphan(early);
      expect(await items(early)).toEqual([]);
      const [dry, runId] = [await begin({ orphanDays: 0 }, true), await begin({ orphanDays: 0 })];
      await orphan(dry, 1);
      await orphan(runId, 1);
      const expected = [failed.copyId, lost.copyId].sort();
      for (const run of [dry, runId]) {
        const marked = (await items(run)).filter((item) => item.fileId === fileId);
        expect(marked.map(({ copyId }) => copyId).sort()).toEqual(expected);
        expect(marked[0]).toMatchObject({ action: 'mark', reason: 'orphaned' });
      }
      const copies = await on.ledger.copies(fileId);
      expect(copies.find(({ id }) => id === lost.copyId)).toMatchObject({
        status: 'failed',
        lastErrorCode: 'lease_expired',
        deletionReason: 'orphaned',
      });
      expect(copies.find(({ id }) => id === sending.copyId)).toMatchObject({ status: 'uploading', deletedAt: null });
      expect(await on.ledger.complete(sending.copyId, request.owner, 'sent')).toBe(true);
    });

    it('marks shadow copies that a comparison left so long ago, and lets their objects go though the content is kept', async () => {
      const { request, fileId, copyId } = await stored({ keep: 'keep' });
      const shadow = { ...request, namespace: 'shadow' } as const;
      const [left, fresh] = [await won(on.ledger, shadow), await won(on.ledger, { ...shadow, purpose: 'batch' })];
      for (const one of [left, fresh]) await on.ledger.complete(one.copyId, request.owner, `object ${one.copyId}`);
      // Its trigger would say that it has just been changed.
      await on.sql.begin(async (sql) => {
        await sql`set local session_replication_role = replica`;
        await sql`update provider_file_uploads set updated_at = now() - interval '8 days' where id in ${sql([left.copyId, copyId])}`;
      });
      const runId = await begin();
      await orphan(runId, 1);
      expect((await items(runId)).filter((item) => item.fileId === fileId).map((item) => item.copyId)).toEqual([left.copyId]);
      expect((await on.ledger.copies(fileId)).find(({ id }) => id === left.copyId)).toMatchObject({
        ...{ status: 'completed', deletionReason: 'orphaned', lastErrorCode: null },
      });
      await deletedBefore(fileId, 8);
      expect((await purge(await begin())).filter((id) => [copyId, left.copyId, fresh.copyId].includes(id))).toEqual([left.copyId]);
      expect(await copyOf(fileId)).toMatchObject({ id: copyId, deletedAt: null });
    });

    it('leaves alone what somebody works on at that moment, and takes it the next time', async () => {
      const { fileId, copyId } = await stored({ days: 31 });
      const runId = await begin();
      await on.sql.begin(async (sql) => {
        await sql`select lock_file(${fileId})`;
        await expire(runId);
        expect((await items(runId)).some((item) => item.copyId === copyId)).toBe(false);
      });
      const next = await begin();
      await expire(next);
      expect((await items(next)).map((item) => item.copyId)).toContain(copyId);
    });

    it('never marks a file whose upload or reference comes at the same moment without leaving it live', async () => {
      for (let round = 0; round < 10; round += 1) {
        const files = await Promise.all(Array.from({ length: 6 }, () => stored({ days: 31 })));
        const runId = await begin();
        await Promise.all([
          expire(runId, 3),
          ...files.slice(0, 3).map(({ fileId }) => on.ledger.addReference(fileId, reference({ keep: 'keep' }))),
          ...files.slice(3).map(({ request }) => on.ledger.claim({ ...request, owner: randomUUID() })),
        ]);
        for (const { fileId } of files.slice(0, 3)) expect(await copyOf(fileId)).toMatchObject({ deletedAt: null });
        // A claim that came first found the copy complete; one that came after it took the deletion back.
        const claimed = await Promise.all(files.slice(3).map(({ fileId }) => copyOf(fileId)));
        for (const copy of claimed) expect(copy?.status).toBe('completed');
      }
    });

    it('counts by the clock of the database: what the rules of a later night would take stays', async () => {
      const { fileId } = await stored({ days: 29 });
      const runId = await begin({ retentionDays: 29.5 });
      await expire(runId);
      expect(await copyOf(fileId)).toMatchObject({ deletedAt: null });
      await expire(await begin({ retentionDays: 28.5 }));
      expect(await copyOf(fileId)).toMatchObject({ deletionReason: 'expired' });
    });

    it('lets objects go after the grace, and not before, nor while the file is held or kept again', async () => {
      const due = await stored({ days: 31 });
      const early = await stored({ days: 31 });
      const held = await stored({ days: 31 });
      const kept = await stored({ days: 31 });
      const review = await stored({ days: 31 });
      const files = [due, early, held, kept, review];
      await expire(await begin());
      for (const file of files) await deletedBefore(file.fileId, 8);
      await deletedBefore(early.fileId, 6);
      await on.retention.holdFile(held.fileId, true, { reason: null, by: 'ann' });
      await on.sql`insert into file_references (file_id, tool, name, keep) values (${kept.fileId}, 'test', 'late', 'keep')`;
      await on.sql`update provider_file_uploads set needs_review = true where id = ${review.copyId}`;
      const mine = (ids: string[]) => files.map(({ copyId }) => copyId).filter((id) => ids.includes(id));
      expect(mine(await purge(await begin(), 2))).toEqual([due.copyId]);
      expect(await copyOf(due.fileId)).toMatchObject({ purgedAt: expect.any(String), needsReview: false });
      expect(mine(await purge(await begin()))).toEqual([]);
      expect((await on.retention.retentionState()).inReview).toBeGreaterThan(0);
      expect(mine(await purge(await begin({ includeReview: true })))).toEqual([review.copyId]);
    });

    it('keeps an object that serves two purposes until the grace of both is over, and counts both then', async () => {
      const { request, fileId, copyId } = await stored({ days: 31 });
      const other = await won(on.ledger, { ...request, purpose: 'batch' });
      await on.ledger.complete(other.copyId, request.owner, `object ${copyId}`);
      await readBefore(fileId, 31);
      await expire(await begin());
      await on.sql`update provider_file_uploads set deleted_at = now() - interval '8 days' where id = ${copyId}`;
      expect(await purge(await begin())).not.toContain(copyId);
      await deletedBefore(fileId, 8);
      const dry = await begin({}, true);
      const { copies } = await on.retention.duePurges(dry, 'dry', null, 10_000);
      const both = [copyId, other.copyId].sort();
      expect(
        copies
          .filter((copy) => copy.fileId === fileId)
          .map((copy) => copy.copyId)
          .sort(),
      ).toEqual(both);
      const runId = await begin();
      // One at a time: the other one is closed with the first.
      expect((await purge(runId, 1)).filter((id) => both.includes(id))).toHaveLength(1);
      const done = (await items(runId)).filter((item) => item.fileId === fileId);
      expect(done.map(({ copyId, outcome }) => [copyId, outcome]).sort()).toEqual(both.map((id) => [id, 'done']));
    });

    it('does not take what reconciliation was moving for what it may delete, nor what shares its object', async () => {
      const [moving, shared] = [await stored({ days: 31 }), await stored({ days: 31 })];
      const other = await won(on.ledger, { ...shared.request, purpose: 'batch' });
      await on.ledger.complete(other.copyId, shared.request.owner, `object ${shared.copyId}`);
      await readBefore(shared.fileId, 31);
      await expire(await begin());
      for (const { fileId } of [moving, shared]) await deletedBefore(fileId, 8);
      await on.sql`update provider_file_uploads set deletion_reason = 'reconcile run moving', purge_started_at = now(), lease_owner = 'dead',
        lease_expires_at = now() - interval '1 hour' where id in ${on.sql([moving.copyId, other.copyId])}`;
      const mine = [moving.copyId, shared.copyId, other.copyId];
      expect((await purge(await begin())).filter((id) => mine.includes(id))).toEqual([]);
      await on.sql`update provider_file_uploads set deletion_reason = 'reconcile run' where id in ${on.sql([moving.copyId, other.copyId])}`;
      expect((await purge(await begin())).filter((id) => mine.includes(id))).toContain(moving.copyId);
    });

    it('keeps an object on which a copy stands under an older address of its bucket, until that copy is deleted, too', async () => {
      const request = claimRequest();
      const objectId = `bucket/live/${request.content.sha256}`;
      const older = await won(on.ledger, { ...request, account: 'older' });
      await on.ledger.complete(older.copyId, request.owner, objectId);
      const { fileId, copyId } = await won(on.ledger, request);
      expect(await on.retention.standsOn(copyId, objectId)).toBe(true);
      expect(await on.retention.standsOn(copyId, 'bucket/live/another')).toBe(false);
      await on.ledger.complete(copyId, request.owner, objectId);
      const deleted = (id: string) =>
        on.sql`update provider_file_uploads set deleted_at = now() - interval '8 days', deletion_reason = 'test' where id = ${id}`;
      await deleted(copyId);
      const runId = await begin();
      expect(await on.retention.beginPurges(runId, [copyId], 'sweep', 60)).toMatchObject({ begun: [], closed: 0, kept: 1 });
      // What stays can still be taken back.
      expect((await on.ledger.copies(fileId)).find(({ id }) => id === copyId)).toMatchObject({ purgedAt: null, leaseOwner: null });
      await deleted(older.copyId);
      expect(await on.retention.beginPurges(runId, [copyId], 'sweep', 60)).toMatchObject({ begun: [{ copyId, providerFileId: objectId }] });
    });

    it('gives a purge to one sweep, gives what was left back, and flags what fails again and again without stopping at it', async () => {
      const [bad, good] = [await stored({ days: 31 }), await stored({ days: 31 })];
      await expire(await begin());
      await Promise.all([deletedBefore(bad.fileId, 8), deletedBefore(good.fileId, 8)]);
      const runId = await begin();
      const ids = [bad.copyId, good.copyId];
      const begun = await Promise.all(['a', 'b', 'c'].map((owner) => on.retention.beginPurges(runId, ids, owner, 60)));
      expect(begun.flatMap((one) => one.begun.map(({ copyId }) => copyId)).sort()).toEqual([...ids].sort());
      for (const [at, owner] of ['a', 'b', 'c'].entries())
        await on.retention.endPurges(
          runId,
          owner,
          (begun[at]?.begun ?? []).map(({ copyId }) => ({ copyId, outcome: 'left', code: null })),
        );
      expect(await copyOf(bad.fileId)).toMatchObject({ leaseOwner: null, purgedAt: null });
      for (let night = 1; night <= 5; night += 1) {
        const run = await begin();
        const { copies } = await on.retention.duePurges(run, 'sweep', null, 10_000);
        const due = copies.map(({ copyId }) => copyId).filter((id) => ids.includes(id));
        expect(due).toContain(bad.copyId);
        await on.retention.beginPurges(run, due, 'sweep', 60);
        await on.retention.endPurges(
          run,
          'sweep',
          due.map((copyId) => ({ copyId, outcome: copyId === bad.copyId ? 'failed' : 'done', code: 'forbidden' })),
        );
        const after = await on.retention.duePurges(run, 'sweep', null, 10_000);
        expect(after.copies.map(({ copyId }) => copyId)).not.toContain(bad.copyId);
      }
      expect(await copyOf(bad.fileId)).toMatchObject({ needsReview: true, lastErrorCode: 'forbidden' });
      expect(await copyOf(good.fileId)).toMatchObject({ purgedAt: expect.any(String) });
      const { copies } = await on.retention.duePurges(await begin(), 'sweep', null, 10_000);
      expect(copies.map(({ copyId }) => copyId)).not.toContain(bad.copyId);
    });

    it('makes room with the oldest that nobody keeps, and no more than is needed', async () => {
      const account = randomUUID();
      const at = { account, provider: 'kimi' };
      const old = [await stored({ ...at, days: 20 }), await stored({ ...at, days: 15, keep: 'expire' }), await stored({ ...at, days: 10 })];
      await stored({ ...at, days: 25, keep: 'keep' });
      await stored({ ...at, days: 0.5 });
      await stored({ days: 25, provider: 'kimi' });
      const request: QuotaRequest = { provider: 'kimi', account, purpose: null, kind: 'files', excess: 2 };
      const dry = await begin({}, true);
      expect(await on.retention.sweepQuota(dry, request, 1)).toMatchObject({ copies: 1, short: 1 });
      expect(await on.retention.sweepQuota(dry, request, 1)).toMatchObject({ copies: 1, short: 0 });
      const runId = await begin();
      expect(await on.retention.sweepQuota(runId, request, 100)).toMatchObject({ copies: 2, short: 0 });
      // What is on its way out counts: asked again, tomorrow too, nothing more goes.
      expect(await on.retention.sweepQuota(runId, request, 100)).toMatchObject({ copies: 0, short: 0 });
      expect(await on.retention.sweepQuota(await begin(), request, 100)).toMatchObject({ copies: 0, short: 0 });
      for (const run of [dry, runId]) expect((await items(run)).map(({ copyId }) => copyId)).toEqual([old[0]?.copyId, old[1]?.copyId]);
      expect(await on.retention.sweepQuota(await begin(), { ...request, excess: 10 }, 100)).toMatchObject({ copies: 1, short: 7 });
      expect(await on.retention.sweepQuota(await begin(), { ...request, kind: 'bytes', excess: 1e9 }, 100)).toMatchObject({ copies: 0 });
    });

    /** A copy at a provider that drops it; of its life this share is over. */
    async function ageing(
      share: number,
      { at, hours = 48, days = 20, keep }: { at: string; hours?: number; days?: number; keep?: 'keep' | 'expire' },
    ) {
      const file = await stored({ provider: at, account: at, days, ...(keep === undefined ? {} : { keep }) });
      const lived = share * hours * 3600;
      await on.sql`update provider_file_uploads set completed_at = now() - make_interval(secs => ${lived}),
        expires_at = now() + make_interval(secs => ${hours * 3600 - lived}) where id = ${file.copyId}`;
      return file;
    }
    /** Page by page, as the sweep does: what was left at this provider. */
    async function end(runId: string, at: string, limit = 1000, share = 0.9) {
      let kept: EndingCopies[] = [];
      await all(async (after) => {
        const page = await on.retention.sweepEnding(runId, share, after, limit);
        kept = addEnding(kept, page.kept);
        return page;
      });
      return kept.find(({ provider }) => provider === at);
    }

    it('marks copies that their provider drops soon or has dropped and that nobody keeps, what ends first in front, and tells of the others', async () => {
      const at = randomUUID();
      const going = [
        await ageing(3, { at }),
        await ageing(1.1, { at, keep: 'expire' }),
        await ageing(0.95, { at }),
        await ageing(0.91, { at, hours: 24 * 180, keep: 'expire' }),
      ];
      const young = [await ageing(0.89, { at }), await ageing(0.5, { at, hours: 24 * 180 }), await stored({ provider: at, days: 20 })];
      const [kept, lost] = [await ageing(0.95, { at, keep: 'keep' }), await ageing(2, { at, keep: 'keep' })];
      const read = await ageing(0.96, { at, days: 0.5 });
      const held = await ageing(0.97, { at });
      await on.retention.holdFile(held.fileId, true, { reason: null, by: 'ann' });
      const sending = await ageing(0.98, { at });
      await won(on.ledger, { ...sending.request, provider: 'kimi' });
      const left = { ending: 4, ended: 1, firstEndsInMs: expect.closeTo(0.02 * 48 * 3_600_000, -5) };
      const dry = await begin({}, true);
      expect(await end(dry, at, 2)).toMatchObject(left);
      // A page that is done again says the same.
      expect(await end(dry, at, 100)).toMatchObject(left);
      for (const { fileId } of going) expect(await copyOf(fileId)).toMatchObject({ deletedAt: null });
      const runId = await begin();
      expect(await end(runId, at, 2)).toMatchObject(left);
      expect(await end(runId, at, 100)).toMatchObject(left);
      for (const { fileId } of going) expect(await copyOf(fileId)).toMatchObject({ deletionReason: 'quota', purgedAt: null });
      for (const { fileId } of [...young, kept, lost, read, held, sending]) expect(await copyOf(fileId)).toMatchObject({ deletedAt: null });
      for (const run of [dry, runId])
        expect((await items(run)).filter(({ provider }) => provider === at).map(({ reason, copyId }) => [reason, copyId])).toEqual(
          going.map(({ copyId }) => ['quota', copyId]),
        );
      const again = await begin();
      expect(await end(again, at)).toMatchObject(left);
      expect((await items(again)).filter(({ provider }) => provider === at)).toEqual([]);
      await on.retention.holdFile(held.fileId, false, { reason: null, by: 'ann' });
    });

    it('leaves a copy near its end alone that somebody works on or sends anew at that moment', async () => {
      const at = randomUUID();
      const [busy, anew] = [await ageing(0.95, { at }), await ageing(1.5, { at })];
      const claim = await won(on.ledger, { ...anew.request, provider: at, account: at });
      const runId = await begin();
      await on.sql.begin(async (sql) => {
        await sql`select lock_file(${busy.fileId})`;
        expect(await end(runId, at)).toMatchObject({ ending: 1, ended: 0 });
      });
      expect((await items(runId)).some(({ provider }) => provider === at)).toBe(false);
      expect(claim.copyId).toBe(anew.copyId);
      expect(await on.ledger.complete(claim.copyId, anew.request.owner, 'sent anew')).toBe(true);
      const next = await begin();
      await end(next, at);
      expect((await items(next)).filter(({ provider }) => provider === at).map(({ copyId }) => copyId)).toEqual([busy.copyId]);
    });

    it('never marks a copy near its end whose content somebody comes to keep at the same moment without leaving it live', async () => {
      const at = randomUUID();
      for (let round = 0; round < 5; round += 1) {
        const files = await Promise.all(Array.from({ length: 6 }, () => ageing(0.95, { at })));
        const runId = await begin();
        await Promise.all([
          end(runId, at, 3),
          ...files.slice(0, 3).map(({ fileId }) => on.ledger.addReference(fileId, reference({ keep: 'keep' }))),
          ...files.slice(3).map(({ request }) => on.ledger.claim({ ...request, owner: randomUUID() })),
        ]);
        for (const { fileId } of files.slice(0, 3)) expect(await copyOf(fileId)).toMatchObject({ deletedAt: null });
        for (const copy of await Promise.all(files.slice(3).map(({ fileId }) => copyOf(fileId)))) expect(copy?.status).toBe('completed');
      }
    });

    it('restores no copy that its provider has dropped, and says how old the oldest of an account is', async () => {
      const at = randomUUID();
      const account = { provider: at, account: at };
      const share = async () => (await on.retention.copyAges([account, { provider: at, account: 'another' }])).map((age) => age.share);
      expect(await share()).toEqual([0, 0]);
      await ageing(0.25, { at });
      await ageing(0.75, { at, keep: 'keep' });
      const gone = await ageing(1.5, { at });
      expect((await share()).sort()).toEqual([0, expect.closeTo(0.75, 3)]);
      const old = await ageing(0.95, { at });
      expect(await end(await begin(), at)).toBeUndefined();
      expect((await share()).sort()).toEqual([0, expect.closeTo(0.75, 3)]);
      expect([await on.ledger.restore(gone.fileId), await on.ledger.restore(old.fileId)]).toEqual([0, 1]);
    });

    it('remembers each sweep with its totals, once, and how one ended that never said so', async () => {
      const lost = await begin();
      const runId = await begin();
      expect((await on.retention.sweeps(1000)).find(({ id }) => id === lost)).toMatchObject({
        status: 'interrupted',
        endedAt: expect.any(String),
      });
      await stored({ days: 31 });
      await expire(runId);
      expect((await on.retention.sweeps(1))[0]).toMatchObject({
        id: runId,
        status: 'running',
        totals: [{ action: 'mark', reason: 'expired' }],
      });
      const end = { status: 'completed', reason: null, notes: ['a note: "ü"'] } as const;
      const ended = await on.retention.endSweep(runId, end);
      expect(ended).toMatchObject({ status: 'completed', notes: ['a note: "ü"'], rules: RULES, totals: [{ outcome: 'done', copies: 1 }] });
      expect(await on.retention.endSweep(runId, end)).toEqual(ended);
      expect((await on.retention.retentionState()).lastSuccess?.id).toBe(runId);
    });

    it('refuses rules that are none, and does not know a sweep that never began', async () => {
      await expect(begin({ retentionDays: -1 })).rejects.toBeInstanceOf(ValidationError);
      await expect(begin({ graceDays: Number.NaN })).rejects.toBeInstanceOf(ValidationError);
      await expect(on.retention.sweepExpired(randomUUID(), null, 10)).rejects.toBeInstanceOf(FileNotFoundError);
      await expect(on.retention.endSweep(randomUUID(), { status: 'failed', reason: null, notes: [] })).rejects.toBeInstanceOf(
        FileNotFoundError,
      );
    });

    it('holds a file with who and why, and says what can no more be held', async () => {
      const { fileId } = await stored({ days: 31 });
      expect(await on.retention.holdFile(fileId, true, { reason: 'case 7', by: 'ann' })).toEqual({ fileId, copies: 1, purging: 0 });
      expect(await on.ledger.softDelete(fileId, 'asked for')).toBe(0);
      await on.retention.holdFile(fileId, false, { reason: null, by: 'bob' });
      await expire(await begin());
      await deletedBefore(fileId, 8);
      const runId = await begin();
      const copy = await copyOf(fileId);
      await on.retention.beginPurges(runId, [copy?.id ?? ''], 'sweep', 60);
      expect(await on.retention.holdFile(fileId, true, { reason: null, by: 'ann' })).toMatchObject({ copies: 1, purging: 1 });
      expect((await on.retention.fileHolds(fileId)).map(({ hold, reason, setBy }) => [hold, reason, setBy])).toEqual([
        [true, 'case 7', 'ann'],
        [false, null, 'bob'],
        [true, null, 'ann'],
      ]);
      await expect(on.retention.holdFile(randomUUID(), true, { reason: null, by: 'ann' })).rejects.toBeInstanceOf(FileNotFoundError);
    });
  });
}
