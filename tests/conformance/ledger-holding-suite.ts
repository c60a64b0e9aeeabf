import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { FileNotFoundError } from '../../src/domain/errors.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { again, claimRequest, reference, stored, won } from './ledger-samples.ts';

/** What keeps a file, and how it goes. */
export function describeHolding(on: { ledger: Ledger }): void {
  describe('references', () => {
    it('are the same for the same holder, tool and name, also when added 30 times at once', async () => {
      const { fileId } = await stored(on.ledger);
      const added = await Promise.all(Array.from({ length: 30 }, () => on.ledger.addReference(fileId, reference())));
      const nobodys = await Promise.all(Array.from({ length: 5 }, () => on.ledger.addReference(fileId, reference({ userId: null }))));
      await on.ledger.addReference(fileId, reference({ name: 'another name' }));
      expect(new Set(added.map(({ id }) => id)).size).toBe(1);
      expect(new Set(nobodys.map(({ id }) => id)).size).toBe(1);
      expect(await on.ledger.references(fileId)).toHaveLength(3);
    });

    it('come with the end of an upload, in one step with it, or not at all when the claim was lost', async () => {
      const request = claimRequest();
      const claim = await won(on.ledger, request);
      expect(await on.ledger.record(claim, 'somebody else', 'id', reference())).toBe(false);
      expect(await on.ledger.references(claim.fileId)).toEqual([]);
      for (let again = 0; again < 2; again += 1) expect(await on.ledger.record(claim, request.owner, 'id', reference())).toBe(true);
      expect(await on.ledger.references(claim.fileId)).toHaveLength(1);
      expect(await on.ledger.copies(claim.fileId)).toMatchObject([{ status: 'completed', providerFileId: 'id' }]);
    });

    it('are how a file is found by a name, whoever gave it', async () => {
      const name = `${randomUUID()} "ü"`;
      const [one, two] = [await stored(on.ledger), await stored(on.ledger)];
      await on.ledger.addReference(one.fileId, reference({ name }));
      await on.ledger.addReference(two.fileId, reference({ name }));
      expect((await on.ledger.filesByName(name, 10)).map(({ id }) => id)).toEqual([one.fileId, two.fileId].sort());
      expect(await on.ledger.filesByName(name, 1)).toHaveLength(1);
      expect(await on.ledger.filesByName(`${name} no`, 10)).toEqual([]);
      const own = `${randomUUID()} of an upload`;
      const { id } = await on.ledger.addReference(one.fileId, reference({ name: own, uploadId: randomUUID() }));
      expect((await on.ledger.filesByName(own, 10)).map((file) => file.id)).toEqual([one.fileId]);
      await on.ledger.deleteReference(id);
      expect(await on.ledger.filesByName(own, 10)).toEqual([]);
    });

    it('of uploads with ids of their own are one for each, also when added 30 times at once, and beside the one of the content', async () => {
      const { fileId } = await stored(on.ledger);
      const [uploadId, other] = [randomUUID(), randomUUID()];
      const added = await Promise.all(Array.from({ length: 30 }, () => on.ledger.addReference(fileId, reference({ uploadId }))));
      expect(new Set(added.map(({ id }) => id)).size).toBe(1);
      expect(added[0]).toMatchObject({ uploadId, fileId });
      const second = await on.ledger.addReference(fileId, reference({ uploadId: other }));
      await on.ledger.addReference(fileId, reference());
      expect(await on.ledger.references(fileId)).toHaveLength(3);
      await on.ledger.deleteReference(second.id);
      expect(await on.ledger.references(fileId)).toHaveLength(2);
    });

    it('are given back as they were said', async () => {
      const { fileId } = await stored(on.ledger);
      const said = reference({ name: `"q",{}\\ \n\t é 😀 ${'x'.repeat(4070)}`, context: 'why', tags: ['a,b', '"', ''.padEnd(200, '{')] });
      const added = await on.ledger.addReference(fileId, said);
      expect(added).toMatchObject({ ...said, fileId });
      expect(await on.ledger.references(fileId)).toEqual([added]);
    });

    it('never promise less than before: once kept, a second upload that may expire changes nothing', async () => {
      const { fileId } = await stored(on.ledger);
      await on.ledger.addReference(fileId, reference({ keep: 'keep' }));
      expect(await on.ledger.addReference(fileId, reference({ keep: 'expire', tags: ['new'] }))).toMatchObject({
        keep: 'keep',
        tags: ['new'],
      });
    });

    it('go one by one, and never take a file away', async () => {
      const { fileId, request } = await stored(on.ledger);
      const mine = await on.ledger.addReference(fileId, reference());
      const yours = await on.ledger.addReference(fileId, reference({ userId: 'bob' }));
      expect(await on.ledger.deleteReference(mine.id)).toBe(true);
      expect(await on.ledger.deleteReference(mine.id)).toBe(false);
      expect(await on.ledger.references(fileId)).toEqual([yours]);
      expect((await again(on.ledger, request)).outcome).toBe('completed');
    });

    it('cannot hold a file that the ledger does not know', async () => {
      await expect(on.ledger.addReference(randomUUID(), reference())).rejects.toBeInstanceOf(FileNotFoundError);
    });
  });

  describe('deleting', () => {
    it('stop a deletion by a person, who may have overlooked one that retention would pass over', async () => {
      const { fileId } = await stored(on.ledger);
      const { id } = await on.ledger.addReference(fileId, reference({ keep: 'expire' }));
      expect(await on.ledger.softDelete(fileId, 'asked for', { unreferencedOnly: true })).toBe(0);
      await on.ledger.deleteReference(id);
      expect(await on.ledger.softDelete(fileId, 'asked for', { unreferencedOnly: true })).toBe(1);
    });

    it('is refused while somebody keeps the file', async () => {
      const { fileId } = await stored(on.ledger);
      const held = await on.ledger.addReference(fileId, reference({ keep: 'keep' }));
      expect(await on.ledger.softDelete(fileId, 'expired')).toBe(0);
      await on.ledger.deleteReference(held.id);
      expect(await on.ledger.softDelete(fileId, 'expired')).toBe(1);
      expect(await on.ledger.softDelete(fileId, 'expired')).toBe(0);
      expect(await on.ledger.copies(fileId)).toEqual([
        expect.objectContaining({ deletionReason: 'expired', deletedAt: expect.any(String) }),
      ]);
    });

    it('leaves an upload under way alone', async () => {
      const { request, fileId } = await stored(on.ledger);
      const other = await won(on.ledger, { ...request, provider: 'kimi' });
      expect(await on.ledger.softDelete(fileId, 'expired')).toBe(1);
      expect(await on.ledger.complete(other.copyId, request.owner, 'object')).toBe(true);
    });

    it('is taken back by restoring, by the next claim, and by the next reference', async () => {
      const { request, fileId, objectId } = await stored(on.ledger);
      const backs = [() => on.ledger.restore(fileId), () => again(on.ledger, request), () => on.ledger.addReference(fileId, reference())];
      for (const back of backs) {
        expect(await on.ledger.softDelete(fileId, 'expired')).toBe(1);
        await back();
        expect(await on.ledger.copies(fileId)).toEqual([expect.objectContaining({ deletedAt: null, providerFileId: objectId })]);
      }
      expect(await again(on.ledger, request)).toMatchObject({ outcome: 'completed', providerFileId: objectId });
    });

    it('is asked for and taken back by the id of an upload, too, also when nobody holds that any more', async () => {
      const { fileId } = await stored(on.ledger);
      const uploadId = randomUUID();
      const held = await on.ledger.addReference(fileId, reference({ uploadId, keep: 'keep' }));
      expect(await on.ledger.softDelete(uploadId, 'asked for')).toBe(0);
      await on.ledger.deleteReference(held.id);
      expect(await on.ledger.softDelete(uploadId, 'asked for')).toBe(1);
      expect(await on.ledger.file(uploadId)).toMatchObject({ id: fileId });
      expect(await on.ledger.restore(uploadId)).toBe(1);
      expect(await on.ledger.copies(uploadId)).toMatchObject([{ fileId, deletedAt: null }]);
    });

    it('says that it does not know a file', async () => {
      await expect(on.ledger.softDelete(randomUUID(), 'expired')).rejects.toBeInstanceOf(FileNotFoundError);
      await expect(on.ledger.restore(randomUUID())).rejects.toBeInstanceOf(FileNotFoundError);
    });
  });

  describe('purging', () => {
    it('is nobody’s right while the copy is live or kept', async () => {
      const { fileId, copyId } = await stored(on.ledger);
      expect(await on.ledger.beginPurge(copyId, 'sweep', 60)).toBeNull();
      await on.ledger.softDelete(fileId, 'expired');
      // Kept by somebody who came after the deletion.
      const held = await on.ledger.addReference(fileId, reference({ keep: 'keep' }));
      expect(await on.ledger.beginPurge(copyId, 'sweep', 60)).toBeNull();
      await on.ledger.deleteReference(held.id);
      await on.ledger.softDelete(fileId, 'expired');
      expect(await on.ledger.beginPurge(copyId, 'sweep', 60)).toMatchObject({ id: copyId, leaseOwner: 'sweep' });
    });

    it('is given to exactly one of 20 sweeps, and claims wait for it', async () => {
      const { request, fileId, copyId } = await stored(on.ledger);
      await on.ledger.softDelete(fileId, 'expired');
      const sweeps = Array.from({ length: 20 }, (_, index) => `sweep ${index}`);
      const begun = await Promise.all(sweeps.map((owner) => on.ledger.beginPurge(copyId, owner, 60)));
      const [winner, ...others] = begun.filter((copy) => copy !== null);
      expect(others).toEqual([]);
      expect(await again(on.ledger, request)).toMatchObject({ outcome: 'busy', copyId });
      expect(await on.ledger.restore(fileId)).toBe(0);
      await on.ledger.completePurge(copyId, 'somebody else');
      expect((await again(on.ledger, request)).outcome).toBe('busy');
      await on.ledger.completePurge(copyId, winner?.leaseOwner ?? '');
      await on.ledger.completePurge(copyId, winner?.leaseOwner ?? '');
      const claim = await won(on.ledger, request);
      expect(claim.copyId).not.toBe(copyId);
      expect(claim.attempts).toBe(1);
      expect((await on.ledger.copies(fileId)).find(({ id }) => id === copyId)?.purgedAt).toEqual(expect.any(String));
      expect(await on.ledger.beginPurge(copyId, 'sweep', 60)).toBeNull();
    });

    it('makes either a claim or a purge win when both come at once', async () => {
      for (let round = 0; round < 10; round++) {
        const { request, fileId, copyId } = await stored(on.ledger);
        await on.ledger.softDelete(fileId, 'expired');
        const [claim, purge] = await Promise.all([again(on.ledger, request), on.ledger.beginPurge(copyId, 'sweep', 60)]);
        expect([claim.outcome, purge === null]).toSatisfy(
          ([outcome, refused]) => (outcome === 'completed' && refused) || (outcome === 'busy' && !refused),
        );
      }
    });

    it('that lost its lease gives the copy to the next claim, to be sent again', async () => {
      const { request, fileId, copyId } = await stored(on.ledger);
      await on.ledger.softDelete(fileId, 'expired');
      await on.ledger.beginPurge(copyId, 'sweep', 0.1);
      await sleep(200);
      expect(await won(on.ledger, request)).toMatchObject({ copyId, attempts: 2, lastErrorCode: 'purge_interrupted' });
      await on.ledger.completePurge(copyId, 'sweep');
      expect((await on.ledger.copies(fileId))[0]).toMatchObject({ status: 'uploading', purgedAt: null });
    });

    it('that fails five times asks for a person, and can still be tried', async () => {
      const { fileId, copyId } = await stored(on.ledger);
      await on.ledger.softDelete(fileId, 'expired');
      for (let time = 1; time <= 5; time++) {
        expect((await on.ledger.copies(fileId))[0]?.needsReview).toBe(false);
        await on.ledger.beginPurge(copyId, 'sweep', 60);
        await on.ledger.failPurge(copyId, 'sweep', 'forbidden');
      }
      expect((await on.ledger.copies(fileId))[0]).toMatchObject({ needsReview: true, lastErrorCode: 'forbidden', purgedAt: null });
      await on.ledger.beginPurge(copyId, 'sweep', 60);
      await on.ledger.completePurge(copyId, 'sweep');
      expect((await on.ledger.copies(fileId))[0]).toMatchObject({ needsReview: false, purgedAt: expect.any(String) });
    });

    it('leaves an object alone on which a copy for another purpose stands', async () => {
      const { request, fileId, copyId, objectId } = await stored(on.ledger);
      await on.ledger.softDelete(fileId, 'expired');
      const { copyId: standing } = await won(on.ledger, { ...request, purpose: 'batch' });
      expect(await on.ledger.beginPurge(copyId, 'sweep', 60)).toBeNull();
      await on.ledger.complete(standing, request.owner, objectId);
      expect(await on.ledger.beginPurge(copyId, 'sweep', 60)).toBeNull();
      const copies = await on.ledger.copies(fileId);
      expect(copies.find(({ id }) => id === copyId)?.purgedAt).toEqual(expect.any(String));
      expect(copies.find(({ id }) => id === standing)).toMatchObject({ status: 'completed', deletedAt: null });
    });

    it('closes every deleted copy of the object, so that none is revived without it', async () => {
      const { request, fileId, copyId, objectId } = await stored(on.ledger);
      const batch = { ...request, purpose: 'batch' };
      const other = await won(on.ledger, batch);
      await on.ledger.complete(other.copyId, request.owner, objectId);
      expect(await on.ledger.softDelete(fileId, 'expired')).toBe(2);
      expect(await on.ledger.beginPurge(copyId, 'sweep', 60)).not.toBeNull();
      expect(await again(on.ledger, batch)).toMatchObject({ outcome: 'busy', copyId });
      await on.ledger.completePurge(copyId, 'sweep');
      expect((await again(on.ledger, batch)).outcome).toBe('claimed');
    });
  });
}
