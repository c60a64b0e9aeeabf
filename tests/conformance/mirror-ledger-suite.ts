import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { MirrorLedger } from '../../src/ledger/mirror-ledger.ts';
import { reference, stored } from './ledger-samples.ts';

/** What every ledger of files that both sides have promises. */
export function describeMirrorLedger(
  name: string,
  open: () => Promise<{ ledger: Ledger; mirrors: MirrorLedger; close(): Promise<void> }>,
): void {
  describe(name, () => {
    let under: Awaited<ReturnType<typeof open>>;
    let ledger: Ledger;
    let mirrors: MirrorLedger;
    beforeAll(async () => {
      under = await open();
      ({ ledger, mirrors } = under);
    });
    afterAll(() => under?.close());

    const freshId = (what: string) => `${what}/${randomUUID()} "ü"`;
    /** A user's upload that unified answered. */
    async function upload({ tool = freshId('tool').slice(0, 20), userId = freshId('user') as string | null, name = 'note.txt' } = {}) {
      const { fileId } = await stored(ledger);
      const { id: referenceId } = await ledger.addReference(fileId, reference({ tool, userId, name }));
      return { tool, userId, name, fileId, referenceId };
    }
    const whole = { after: null, limit: 100 };

    describe('of an upload that unified answered', () => {
      it('keeps the copy at legacy, which is none of what legacy is to list', async () => {
        const { tool, userId, fileId, referenceId } = await upload();
        const legacyId = freshId('old');
        const copy = { tool, userId, fileId, referenceId, legacyId };
        expect(await mirrors.legacyCopies(fileId, userId)).toEqual([]);
        for (let again = 0; again < 2; again += 1) expect(await mirrors.addLegacyCopy(copy)).toEqual({ legacyId, held: true });
        expect(await mirrors.legacyCopies(fileId, userId)).toMatchObject([copy]);
        expect(await mirrors.legacyCopies(fileId, 'another')).toEqual([]);
        expect(await mirrors.copiesAmong(userId, ['x', legacyId, 'y'])).toEqual([legacyId]);
        expect(await mirrors.copiesAmong('another', [legacyId])).toEqual([]);
        expect(await mirrors.copiesAmong(userId, [])).toEqual([]);
        expect(await ledger.listHeldBy(userId, whole)).toHaveLength(1);
      });

      it('counts the first of two copies, also of 20 that come at once', async () => {
        const { tool, userId, fileId, referenceId } = await upload();
        const answers = await Promise.all(
          Array.from({ length: 20 }, (_, at) =>
            mirrors.addLegacyCopy({ tool, userId, fileId, referenceId, legacyId: `${referenceId}/${at}` }),
          ),
        );
        expect(new Set(answers.map(({ legacyId }) => legacyId)).size).toBe(1);
        expect(await mirrors.legacyCopies(fileId, userId)).toHaveLength(1);
      });

      it('remembers the copy of what was deleted until it is gone, and of what was deleted while it was copied', async () => {
        const { tool, userId, fileId, referenceId } = await upload();
        const [legacyId, later] = [freshId('old'), freshId('old')];
        await mirrors.addLegacyCopy({ tool, userId, fileId, referenceId, legacyId });
        await ledger.deleteReference(referenceId);
        expect(await mirrors.legacyCopies(fileId, userId)).toMatchObject([{ legacyId, referenceId: null }]);
        expect(await mirrors.copiesAmong(userId, [legacyId])).toEqual([legacyId]);
        expect(await mirrors.addLegacyCopy({ tool, userId, fileId, referenceId, legacyId: later })).toEqual({
          legacyId: later,
          held: false,
        });
        expect(await mirrors.copiesAmong(userId, [legacyId, later])).toHaveLength(2);
        expect(await mirrors.dropLegacyCopy(userId, legacyId)).toBe(true);
        expect(await mirrors.dropLegacyCopy(userId, legacyId)).toBe(false);
        expect(await mirrors.copiesAmong(userId, [legacyId, later])).toEqual([later]);
      });

      it('tells which files only unified holds, page by page, of this tool and since a time', async () => {
        const tool = freshId('tool').slice(0, 20);
        const before = await upload({ tool });
        await new Promise((resolve) => setTimeout(resolve, 20));
        const since = new Date().toISOString();
        await new Promise((resolve) => setTimeout(resolve, 20));
        const later = [await upload({ tool, userId: null }), await upload({ tool }), await upload({ tool })];
        await upload();
        const { referenceId, fileId, userId } = later[1] as (typeof later)[number];
        const legacyId = freshId('old');
        await mirrors.addLegacyCopy({ tool, userId, fileId, referenceId, legacyId });
        const [gone] = [await upload({ tool })];
        await ledger.deleteReference(gone.referenceId);
        await ledger.softDelete(gone.fileId, 'test');

        const ids = async (page: Parameters<MirrorLedger['unifiedFiles']>[1]) =>
          (await mirrors.unifiedFiles(tool, page)).map((file) => file.referenceId);
        const sorted = (files: { referenceId: string }[]) => files.map((file) => file.referenceId).sort();
        expect(await ids({ since: null, missingOnly: false, ...whole })).toEqual(sorted([before, ...later]));
        expect(await ids({ since, missingOnly: false, ...whole })).toEqual(sorted(later));
        const missing = sorted(later.filter((file) => file.referenceId !== referenceId));
        expect(await ids({ since, missingOnly: true, after: null, limit: 1 })).toEqual(missing.slice(0, 1));
        expect(await ids({ since, missingOnly: true, after: missing[0] ?? null, limit: 10 })).toEqual(missing.slice(1));
        const [copied] = (await mirrors.unifiedFiles(tool, { since, missingOnly: false, ...whole })).filter(
          (file) => file.legacyId !== null,
        );
        expect(copied).toMatchObject({ referenceId, fileId, userId, name: 'note.txt', legacyId, purpose: 'storage' });
      });
    });

    describe('of an upload that legacy answered', () => {
      it('finds what mirrors it, which unified does not list, and which is held beside an upload of its own', async () => {
        const { tool, userId, name, fileId, referenceId } = await upload();
        const [first, second] = [freshId('old'), freshId('old')];
        for (const legacyId of [first, second, first]) await ledger.addReference(fileId, reference({ tool, userId, name, legacyId }));
        expect(await ledger.references(fileId)).toHaveLength(3);
        expect(await mirrors.mirrorsOf(userId, first)).toMatchObject([{ fileId, legacyId: first, tool, userId, name }]);
        expect(await mirrors.mirrorsOf('another', first)).toEqual([]);
        expect(await mirrors.mirrorsOf(userId, freshId('old'))).toEqual([]);
        expect((await ledger.listHeldBy(userId, whole)).map((held) => held.referenceId)).toEqual([referenceId]);
        expect(await mirrors.unifiedFiles(tool, { since: null, missingOnly: true, ...whole })).toHaveLength(1);
      });

      it('takes over what arrived at unified after all, so that it is listed once', async () => {
        const late = await upload();
        const legacyId = freshId('old');
        expect(await mirrors.adoptLate({ ...late, legacyId })).toBe(true);
        expect(await mirrors.adoptLate({ ...late, legacyId })).toBe(false);
        expect(await ledger.listHeldBy(late.userId, whole)).toEqual([]);
        expect(await mirrors.mirrorsOf(late.userId, legacyId)).toMatchObject([{ fileId: late.fileId, name: 'note.txt' }]);
      });

      it('takes over the very upload that arrived, and no other of the same bytes and name', async () => {
        const { tool, userId, name, fileId } = await upload();
        const [uploadId, other] = [randomUUID(), randomUUID()];
        for (const own of [uploadId, other]) await ledger.addReference(fileId, reference({ tool, userId, name, uploadId: own }));
        const late = { tool, userId, name, fileId, legacyId: freshId('old') };
        expect(await mirrors.adoptLate({ ...late, uploadId: randomUUID() })).toBe(false);
        expect(await mirrors.adoptLate({ ...late, uploadId })).toBe(true);
        expect(await mirrors.adoptLate({ ...late, uploadId })).toBe(false);
        expect([await ledger.file(uploadId), await ledger.file(other)]).toMatchObject([null, { id: fileId }]);
        expect((await ledger.listHeldBy(userId, whole)).map(({ id }) => id).sort()).toEqual([fileId, other].sort());
        expect(await mirrors.mirrorsOf(userId, late.legacyId)).toMatchObject([{ fileId, legacyId: late.legacyId }]);
        const shown = await mirrors.unifiedFiles(tool, { since: null, missingOnly: true, ...whole });
        expect(shown.map(({ id }) => id).sort()).toEqual([fileId, other].sort());
      });

      it('leaves an upload alone that is the answer of another one, too', async () => {
        const late = await upload();
        const { tool, userId, name, fileId } = late;
        await new Promise((resolve) => setTimeout(resolve, 5));
        await ledger.addReference(fileId, reference({ tool, userId, name }));
        expect(await mirrors.adoptLate({ ...late, legacyId: freshId('old') })).toBe(true);
        expect(await ledger.listHeldBy(userId, whole)).toHaveLength(1);
        expect(await ledger.references(fileId)).toHaveLength(2);
      });
    });
  });
}
