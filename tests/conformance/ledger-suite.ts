import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { FileNotFoundError, LedgerError, ValidationError } from '../../src/domain/errors.ts';
import type { MigrationItem, NewReference } from '../../src/domain/models.ts';
import type { Claim, ClaimRequest, Ledger } from '../../src/ledger/ledger.ts';

export function contentOf(text: string) {
  return { sha256: createHash('sha256').update(text).digest('hex'), sizeBytes: Buffer.byteLength(text), mimeType: 'text/plain' };
}

/** A claim of a content that nobody has seen before. */
export function claimRequest(change: Partial<ClaimRequest> = {}): ClaimRequest {
  return {
    provider: 'supabase',
    account: 'main',
    purpose: 'storage',
    namespace: 'live',
    content: contentOf(randomUUID()),
    originalName: 'report.txt',
    owner: randomUUID(),
    idempotencyKey: randomUUID(),
    leaseSeconds: 60,
    ...change,
  };
}

export function reference(change: Partial<NewReference> = {}): NewReference {
  return { tool: 'kimi', userId: 'ann', name: 'report.txt', purpose: 'storage', context: null, tags: [], keep: 'expire', ...change };
}

type Claimed = Extract<Claim, { outcome: 'claimed' }>;

/** The claim, which has to be won. */
async function won(ledger: Ledger, request: ClaimRequest): Promise<Claimed> {
  const claim = await ledger.claim(request);
  expect(claim.outcome).toBe('claimed');
  return claim as Claimed;
}

/** A content with one completed copy. */
async function stored(ledger: Ledger, change: Partial<ClaimRequest> = {}, objectId: string = randomUUID()) {
  const request = claimRequest(change);
  const claim = await won(ledger, request);
  expect(await ledger.complete(claim.copyId, request.owner, objectId)).toBe(true);
  return { request, objectId, fileId: claim.fileId, copyId: claim.copyId };
}

/** What every ledger promises. `open` is called once. */
export function describeLedger(name: string, open: () => Promise<Ledger>): void {
  describe(`The ledger (${name})`, () => {
    let ledger: Ledger;
    beforeAll(async () => {
      ledger = await open();
    });
    const again = (request: ClaimRequest, owner: string = randomUUID()) => ledger.claim({ ...request, owner });

    it('can be used', () => ledger.check());

    describe('when several claim the same content', () => {
      it('gives exactly one of 100 simultaneous claims to a caller, and tells the others how long to wait', async () => {
        const request = claimRequest();
        const claims = await Promise.all(Array.from({ length: 100 }, () => again(request)));
        expect(claims.filter((claim) => claim.outcome === 'claimed')).toHaveLength(1);
        const waiting = claims.filter((claim) => claim.outcome === 'busy');
        expect(waiting).toHaveLength(99);
        for (const claim of waiting) expect(claim.retryAfterMs).toSatisfy((ms: number) => ms > 0 && ms <= 60_000);
        expect(new Set(claims.map((claim) => claim.fileId)).size).toBe(1);
        expect(await ledger.copies(claims[0]?.fileId ?? '')).toHaveLength(1);
      });

      it('keeps copies at other providers, accounts, purposes and namespaces apart, of one file', async () => {
        const request = claimRequest();
        const others = [{ provider: 'kimi' }, { account: 'second' }, { purpose: 'batch' }, { namespace: 'shadow' as const }];
        const claims = await Promise.all([{}, ...others].map((change) => won(ledger, { ...request, ...change })));
        expect(new Set(claims.map((claim) => claim.fileId)).size).toBe(1);
        expect(new Set(claims.map((claim) => claim.copyId)).size).toBe(5);
      });

      it('gives an owner that asks again its own claim back, and counts it', async () => {
        const request = claimRequest();
        const first = await won(ledger, request);
        const second = await won(ledger, request);
        expect(first).toMatchObject({ attempts: 1, lastErrorCode: null });
        expect(second).toMatchObject({ copyId: first.copyId, attempts: 2, lastErrorCode: null });
      });

      it('answers completed to everybody once the copy is there', async () => {
        const { request, fileId, copyId, objectId } = await stored(ledger);
        const claims = await Promise.all(Array.from({ length: 20 }, () => again(request)));
        for (const claim of claims) expect(claim).toEqual({ outcome: 'completed', fileId, copyId, providerFileId: objectId });
      });

      it('refuses a content whose size is not the one on record', async () => {
        const { request } = await stored(ledger);
        const wrong = ledger.claim({ ...request, content: { ...request.content, sizeBytes: 1 } });
        await expect(wrong).rejects.toSatisfy(
          (error) => error instanceof LedgerError && error.code === 'size_mismatch' && !error.retryable,
        );
      });

      it.each([0, -1, 86_401])('refuses a lease of %d seconds', async (leaseSeconds) => {
        await expect(ledger.claim(claimRequest({ leaseSeconds }))).rejects.toBeInstanceOf(ValidationError);
      });
    });

    describe('when a lease runs out', () => {
      it('lets exactly one of 20 take over, tells it why, and takes the claim from its old owner', async () => {
        const request = claimRequest({ leaseSeconds: 0.2 });
        const lost = await won(ledger, request);
        await sleep(300);
        const claims = await Promise.all(Array.from({ length: 20 }, () => again({ ...request, leaseSeconds: 60 })));
        const winners = claims.filter((claim) => claim.outcome === 'claimed');
        expect(winners).toEqual([expect.objectContaining({ copyId: lost.copyId, attempts: 2, lastErrorCode: 'lease_expired' })]);
        expect(await ledger.renew(lost.copyId, request.owner, 60)).toBe(false);
        expect(await ledger.complete(lost.copyId, request.owner, 'late')).toBe(false);
        await ledger.fail(lost.copyId, request.owner, 'late');
        expect(await ledger.copies(lost.fileId)).toEqual([expect.objectContaining({ status: 'uploading', providerFileId: null })]);
      });

      it('lets its owner complete after all while nobody has taken over', async () => {
        const request = claimRequest({ leaseSeconds: 0.1 });
        const claim = await won(ledger, request);
        await sleep(200);
        expect(await ledger.complete(claim.copyId, request.owner, 'object')).toBe(true);
      });

      it('does not run out for an owner who renews it', async () => {
        const request = claimRequest({ leaseSeconds: 0.3 });
        const claim = await won(ledger, request);
        for (let round = 0; round < 4; round++) {
          await sleep(120);
          expect(await ledger.renew(claim.copyId, request.owner, 0.4)).toBe(true);
        }
        expect((await again(request)).outcome).toBe('busy');
      });
    });

    describe('when an upload ends', () => {
      it('takes the same completion any number of times, and keeps the first object', async () => {
        const { request, copyId, objectId, fileId } = await stored(ledger);
        expect(await ledger.complete(copyId, request.owner, objectId)).toBe(true);
        expect(await ledger.complete(copyId, 'somebody else', 'another object')).toBe(true);
        expect(await ledger.copies(fileId)).toEqual([expect.objectContaining({ status: 'completed', providerFileId: objectId })]);
      });

      it('gives a copy that failed to the next caller at once, with the reason, in the same row', async () => {
        const request = claimRequest();
        let claim = await won(ledger, request);
        for (let attempt = 2; attempt <= 8; attempt++) {
          await ledger.fail(claim.copyId, request.owner, `error_${attempt}`);
          claim = await won(ledger, request);
          expect(claim).toMatchObject({ attempts: attempt, lastErrorCode: `error_${attempt}` });
        }
        expect(await ledger.copies(claim.fileId)).toHaveLength(1);
      });

      it('ignores a failure of somebody who does not hold the claim, and of a completed copy', async () => {
        const request = claimRequest();
        const claim = await won(ledger, request);
        await ledger.fail(claim.copyId, 'somebody else', 'no');
        expect((await again(request)).outcome).toBe('busy');
        await ledger.complete(claim.copyId, request.owner, 'object');
        await ledger.fail(claim.copyId, request.owner, 'no');
        expect((await again(request)).outcome).toBe('completed');
      });

      it('has a damaged copy sent again, and remembers that it was damaged until it is completed', async () => {
        const { request, copyId } = await stored(ledger);
        await ledger.invalidate(copyId, 'verification_failed');
        expect(await won(ledger, request)).toMatchObject({ copyId, attempts: 2, lastErrorCode: 'verification_failed' });
        await ledger.fail(copyId, request.owner, 'timeout');
        expect(await won(ledger, request)).toMatchObject({ lastErrorCode: 'verification_failed' });
        await ledger.complete(copyId, request.owner, 'repaired');
        expect(await again(request)).toMatchObject({ outcome: 'completed', providerFileId: 'repaired' });
        await ledger.invalidate(copyId, 'gone');
        expect(await won(ledger, request)).toMatchObject({ lastErrorCode: 'gone' });
      });

      it('says that it does not know a copy', async () => {
        await expect(ledger.complete(randomUUID(), 'owner', 'object')).rejects.toBeInstanceOf(FileNotFoundError);
        await expect(ledger.renew(randomUUID(), 'owner', 60)).rejects.toBeInstanceOf(FileNotFoundError);
      });
    });

    describe('references', () => {
      it('are the same for the same holder, tool and name, also when added 30 times at once', async () => {
        const { fileId } = await stored(ledger);
        const added = await Promise.all(Array.from({ length: 30 }, () => ledger.addReference(fileId, reference())));
        const nobodys = await Promise.all(Array.from({ length: 5 }, () => ledger.addReference(fileId, reference({ userId: null }))));
        await ledger.addReference(fileId, reference({ name: 'another name' }));
        expect(new Set(added.map(({ id }) => id)).size).toBe(1);
        expect(new Set(nobodys.map(({ id }) => id)).size).toBe(1);
        expect(await ledger.references(fileId)).toHaveLength(3);
      });

      it('are given back as they were said', async () => {
        const { fileId } = await stored(ledger);
        const said = reference({ name: `"q",{}\\ \n\t é 😀 ${'x'.repeat(4070)}`, context: 'why', tags: ['a,b', '"', ''.padEnd(200, '{')] });
        const added = await ledger.addReference(fileId, said);
        expect(added).toMatchObject({ ...said, fileId });
        expect(await ledger.references(fileId)).toEqual([added]);
      });

      it('never promise less than before: once kept, a second upload that may expire changes nothing', async () => {
        const { fileId } = await stored(ledger);
        await ledger.addReference(fileId, reference({ keep: 'keep' }));
        expect(await ledger.addReference(fileId, reference({ keep: 'expire', tags: ['new'] }))).toMatchObject({
          keep: 'keep',
          tags: ['new'],
        });
      });

      it('go one by one, and never take a file away', async () => {
        const { fileId, request } = await stored(ledger);
        const mine = await ledger.addReference(fileId, reference());
        const yours = await ledger.addReference(fileId, reference({ userId: 'bob' }));
        expect(await ledger.deleteReference(mine.id)).toBe(true);
        expect(await ledger.deleteReference(mine.id)).toBe(false);
        expect(await ledger.references(fileId)).toEqual([yours]);
        expect((await again(request)).outcome).toBe('completed');
      });

      it('cannot hold a file that the ledger does not know', async () => {
        await expect(ledger.addReference(randomUUID(), reference())).rejects.toBeInstanceOf(FileNotFoundError);
      });
    });

    describe('deleting', () => {
      it('is refused while somebody keeps the file', async () => {
        const { fileId } = await stored(ledger);
        const held = await ledger.addReference(fileId, reference({ keep: 'keep' }));
        expect(await ledger.softDelete(fileId, 'expired')).toBe(0);
        await ledger.deleteReference(held.id);
        expect(await ledger.softDelete(fileId, 'expired')).toBe(1);
        expect(await ledger.softDelete(fileId, 'expired')).toBe(0);
        expect(await ledger.copies(fileId)).toEqual([
          expect.objectContaining({ deletionReason: 'expired', deletedAt: expect.any(String) }),
        ]);
      });

      it('leaves an upload under way alone', async () => {
        const { request, fileId } = await stored(ledger);
        const other = await won(ledger, { ...request, provider: 'kimi' });
        expect(await ledger.softDelete(fileId, 'expired')).toBe(1);
        expect(await ledger.complete(other.copyId, request.owner, 'object')).toBe(true);
      });

      it('is taken back by restoring, by the next claim, and by the next reference', async () => {
        const { request, fileId, objectId } = await stored(ledger);
        const backs = [() => ledger.restore(fileId), () => again(request), () => ledger.addReference(fileId, reference())];
        for (const back of backs) {
          expect(await ledger.softDelete(fileId, 'expired')).toBe(1);
          await back();
          expect(await ledger.copies(fileId)).toEqual([expect.objectContaining({ deletedAt: null, providerFileId: objectId })]);
        }
        expect(await again(request)).toMatchObject({ outcome: 'completed', providerFileId: objectId });
      });

      it('says that it does not know a file', async () => {
        await expect(ledger.softDelete(randomUUID(), 'expired')).rejects.toBeInstanceOf(FileNotFoundError);
        await expect(ledger.restore(randomUUID())).rejects.toBeInstanceOf(FileNotFoundError);
      });
    });

    describe('purging', () => {
      it('is nobody’s right while the copy is live or kept', async () => {
        const { fileId, copyId } = await stored(ledger);
        expect(await ledger.beginPurge(copyId, 'sweep', 60)).toBeNull();
        await ledger.softDelete(fileId, 'expired');
        // Kept by somebody who came after the deletion.
        const held = await ledger.addReference(fileId, reference({ keep: 'keep' }));
        expect(await ledger.beginPurge(copyId, 'sweep', 60)).toBeNull();
        await ledger.deleteReference(held.id);
        await ledger.softDelete(fileId, 'expired');
        expect(await ledger.beginPurge(copyId, 'sweep', 60)).toMatchObject({ id: copyId, leaseOwner: 'sweep' });
      });

      it('is given to exactly one of 20 sweeps, and claims wait for it', async () => {
        const { request, fileId, copyId } = await stored(ledger);
        await ledger.softDelete(fileId, 'expired');
        const sweeps = Array.from({ length: 20 }, (_, index) => `sweep ${index}`);
        const begun = await Promise.all(sweeps.map((owner) => ledger.beginPurge(copyId, owner, 60)));
        const [winner, ...others] = begun.filter((copy) => copy !== null);
        expect(others).toEqual([]);
        expect(await again(request)).toMatchObject({ outcome: 'busy', copyId });
        expect(await ledger.restore(fileId)).toBe(0);
        await ledger.completePurge(copyId, 'somebody else');
        expect((await again(request)).outcome).toBe('busy');
        await ledger.completePurge(copyId, winner?.leaseOwner ?? '');
        await ledger.completePurge(copyId, winner?.leaseOwner ?? '');
        const claim = await won(ledger, request);
        expect(claim.copyId).not.toBe(copyId);
        expect(claim.attempts).toBe(1);
        expect((await ledger.copies(fileId)).find(({ id }) => id === copyId)?.purgedAt).toEqual(expect.any(String));
        expect(await ledger.beginPurge(copyId, 'sweep', 60)).toBeNull();
      });

      it('makes either a claim or a purge win when both come at once', async () => {
        for (let round = 0; round < 10; round++) {
          const { request, fileId, copyId } = await stored(ledger);
          await ledger.softDelete(fileId, 'expired');
          const [claim, purge] = await Promise.all([again(request), ledger.beginPurge(copyId, 'sweep', 60)]);
          expect([claim.outcome, purge === null]).toSatisfy(
            ([outcome, refused]) => (outcome === 'completed' && refused) || (outcome === 'busy' && !refused),
          );
        }
      });

      it('that lost its lease gives the copy to the next claim, to be sent again', async () => {
        const { request, fileId, copyId } = await stored(ledger);
        await ledger.softDelete(fileId, 'expired');
        await ledger.beginPurge(copyId, 'sweep', 0.1);
        await sleep(200);
        expect(await won(ledger, request)).toMatchObject({ copyId, attempts: 2, lastErrorCode: 'purge_interrupted' });
        await ledger.completePurge(copyId, 'sweep');
        expect((await ledger.copies(fileId))[0]).toMatchObject({ status: 'uploading', purgedAt: null });
      });

      it('that fails five times asks for a person, and can still be tried', async () => {
        const { fileId, copyId } = await stored(ledger);
        await ledger.softDelete(fileId, 'expired');
        for (let time = 1; time <= 5; time++) {
          expect((await ledger.copies(fileId))[0]?.needsReview).toBe(false);
          await ledger.beginPurge(copyId, 'sweep', 60);
          await ledger.failPurge(copyId, 'sweep', 'forbidden');
        }
        expect((await ledger.copies(fileId))[0]).toMatchObject({ needsReview: true, lastErrorCode: 'forbidden', purgedAt: null });
        await ledger.beginPurge(copyId, 'sweep', 60);
        await ledger.completePurge(copyId, 'sweep');
        expect((await ledger.copies(fileId))[0]).toMatchObject({ needsReview: false, purgedAt: expect.any(String) });
      });

      it('leaves an object alone on which a copy for another purpose stands', async () => {
        const { request, fileId, copyId, objectId } = await stored(ledger);
        await ledger.softDelete(fileId, 'expired');
        const { copyId: standing } = await won(ledger, { ...request, purpose: 'batch' });
        expect(await ledger.beginPurge(copyId, 'sweep', 60)).toBeNull();
        await ledger.complete(standing, request.owner, objectId);
        expect(await ledger.beginPurge(copyId, 'sweep', 60)).toBeNull();
        const copies = await ledger.copies(fileId);
        expect(copies.find(({ id }) => id === copyId)?.purgedAt).toEqual(expect.any(String));
        expect(copies.find(({ id }) => id === standing)).toMatchObject({ status: 'completed', deletedAt: null });
      });

      it('closes every deleted copy of the object, so that none is revived without it', async () => {
        const { request, fileId, copyId, objectId } = await stored(ledger);
        const batch = { ...request, purpose: 'batch' };
        const other = await won(ledger, batch);
        await ledger.complete(other.copyId, request.owner, objectId);
        expect(await ledger.softDelete(fileId, 'expired')).toBe(2);
        expect(await ledger.beginPurge(copyId, 'sweep', 60)).not.toBeNull();
        expect(await again(batch)).toMatchObject({ outcome: 'busy', copyId });
        await ledger.completePurge(copyId, 'sweep');
        expect((await again(batch)).outcome).toBe('claimed');
      });
    });

    describe('reading', () => {
      it('finds a file by id and by hash, and says null for one that it does not know', async () => {
        const { fileId, request } = await stored(ledger);
        const file = await ledger.file(fileId);
        expect(file).toMatchObject({ id: fileId, ...request.content, originalName: 'report.txt', duplicateOf: null });
        expect(await ledger.fileByHash(request.content.sha256)).toEqual(file);
        expect(await ledger.file(randomUUID())).toBeNull();
        expect(await ledger.fileByHash(contentOf(randomUUID()).sha256)).toBeNull();
        expect(await ledger.copies(randomUUID())).toEqual([]);
      });

      it('keeps sizes beyond 2 GiB', async () => {
        const content = { ...contentOf(randomUUID()), sizeBytes: 5_497_558_138_881 };
        const { fileId } = await stored(ledger, { content });
        expect((await ledger.file(fileId))?.sizeBytes).toBe(5_497_558_138_881);
      });

      it('notes that a file was read, and refuses one that it does not know', async () => {
        const { fileId } = await stored(ledger);
        await ledger.touch(fileId);
        expect(Date.parse((await ledger.file(fileId))?.accessedAt ?? '')).toBeGreaterThan(Date.now() - 60_000);
        await expect(ledger.touch(randomUUID())).rejects.toBeInstanceOf(FileNotFoundError);
      });

      it('lists live files page by page, in the order of their ids, each once, also past 1,000', async () => {
        const ids: string[] = [];
        for (let batch = 0; batch < 21; batch++)
          ids.push(...(await Promise.all(Array.from({ length: 50 }, async () => (await stored(ledger)).fileId))));
        const { fileId: deleted } = await stored(ledger);
        await ledger.softDelete(deleted, 'expired');
        const { fileId: shadow } = await stored(ledger, { namespace: 'shadow' });
        const [first] = ids as [string];
        await ledger.addReference(first, reference());

        for (const limit of [5000, 333]) {
          const listed = [];
          for (let after: string | null = null; ; ) {
            const page = await ledger.list({ after, limit });
            expect(page.length).toBeLessThanOrEqual(limit);
            listed.push(...page);
            after = page.at(-1)?.id ?? null;
            if (page.length < limit) break;
          }
          const listedIds = listed.map(({ id }) => id);
          expect(listedIds).toEqual([...new Set(listedIds)].sort());
          expect(listedIds).toEqual(expect.arrayContaining(ids));
          expect(listedIds).not.toContain(deleted);
          expect(listedIds).not.toContain(shadow);
          expect(listed.find(({ id }) => id === first)).toMatchObject({
            names: ['report.txt'],
            references: 1,
            copies: [{ provider: 'supabase', status: 'completed' }],
          });
        }
      });
    });

    describe('the report of a migration', () => {
      const item = (path: string, change: Partial<MigrationItem> = {}): MigrationItem => ({
        ...{ path, sizeBytes: 3, status: 'uploaded', sha256: contentOf(path).sha256, fileId: randomUUID(), providerFileId: 'object' },
        ...{ verified: 'stored', errorCode: null, error: null },
        ...change,
      });

      it('is read in the byte order of its paths, whatever they contain', async () => {
        const migration = randomUUID();
        const paths = ['a', 'B', 'b', 'é', 'a\nb', 'a b', "a'b", 'a"b,c', '\u{FFEE}', '\u{1F600}', 'a/b', 'x'.repeat(1500)];
        await ledger.recordMigrationItems(
          migration,
          paths.map((path) => item(path)),
        );
        const sorted = [...paths].sort((a, b) => Buffer.from(a).compare(Buffer.from(b)));
        const read: string[] = [];
        for (let after: string | null = null; ; ) {
          const page = await ledger.migrationItems(migration, { after, limit: 5 });
          read.push(...page.map(({ path }) => path));
          after = page.at(-1)?.path ?? null;
          if (page.length < 5) break;
        }
        expect(read).toEqual(sorted);
      });

      it('has one row for each path, the last one said, also when it is said twice at once', async () => {
        const migration = randomUUID();
        const failed = item('a', {
          status: 'failed',
          sha256: null,
          fileId: null,
          providerFileId: null,
          errorCode: 'gone',
          error: 'it went',
        });
        await ledger.recordMigrationItems(migration, [item('a'), item('b'), failed]);
        await Promise.all(Array.from({ length: 5 }, () => ledger.recordMigrationItems(migration, [item('c'), item('b')])));
        const all = await ledger.migrationItems(migration, { after: null, limit: 10 });
        expect(all.map(({ path }) => path)).toEqual(['a', 'b', 'c']);
        expect(all[0]).toEqual(failed);
        expect(await ledger.migrationItems(migration, { after: null, limit: 10, status: 'failed' })).toEqual([failed]);
        expect(await ledger.migrationItems(randomUUID(), { after: null, limit: 10 })).toEqual([]);
      });

      it('takes thousands at once and gives more than 1,000 in a page', async () => {
        const migration = randomUUID();
        const items = Array.from({ length: 3000 }, (_, index) => item(`folder/${String(index).padStart(5, '0')}`));
        await ledger.recordMigrationItems(migration, items);
        expect(await ledger.migrationItems(migration, { after: null, limit: 2500 })).toEqual(items.slice(0, 2500));
        expect(await ledger.migrationItems(migration, { after: items[2499]?.path ?? null, limit: 2500 })).toEqual(items.slice(2500));
      });

      it('is nothing for nothing', async () => {
        await expect(ledger.recordMigrationItems(randomUUID(), [])).resolves.toBeUndefined();
      });
    });
  });
}
