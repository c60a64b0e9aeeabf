import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { FileNotFoundError, LedgerError, ValidationError } from '../../src/domain/errors.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { again, claimRequest, stored, won } from './ledger-samples.ts';

/** Who uploads, and what becomes of it. */
export function describeClaims(on: { ledger: Ledger }): void {
  describe('when several claim the same content', () => {
    it('gives exactly one of 100 simultaneous claims to a caller, and tells the others how long to wait', async () => {
      const request = claimRequest();
      const claims = await Promise.all(Array.from({ length: 100 }, () => again(on.ledger, request)));
      expect(claims.filter((claim) => claim.outcome === 'claimed')).toHaveLength(1);
      const waiting = claims.filter((claim) => claim.outcome === 'busy');
      expect(waiting).toHaveLength(99);
      for (const claim of waiting) expect(claim.retryAfterMs).toSatisfy((ms: number) => ms > 0 && ms <= 60_000);
      expect(new Set(claims.map((claim) => claim.fileId)).size).toBe(1);
      expect(await on.ledger.copies(claims[0]?.fileId ?? '')).toHaveLength(1);
    });

    it('keeps copies at other providers, accounts, purposes and namespaces apart, of one file', async () => {
      const request = claimRequest();
      const others = [{ provider: 'kimi' }, { account: 'second' }, { purpose: 'batch' }, { namespace: 'shadow' as const }];
      const claims = await Promise.all([{}, ...others].map((change) => won(on.ledger, { ...request, ...change })));
      expect(new Set(claims.map((claim) => claim.fileId)).size).toBe(1);
      expect(new Set(claims.map((claim) => claim.copyId)).size).toBe(5);
    });

    it('gives an owner that asks again its own claim back, and counts it', async () => {
      const request = claimRequest();
      const first = await won(on.ledger, request);
      const second = await won(on.ledger, request);
      expect(first).toMatchObject({ attempts: 1, lastErrorCode: null });
      expect(second).toMatchObject({ copyId: first.copyId, attempts: 2, lastErrorCode: null });
    });

    it('answers completed to everybody once the copy is there', async () => {
      const { request, fileId, copyId, objectId } = await stored(on.ledger);
      const claims = await Promise.all(Array.from({ length: 20 }, () => again(on.ledger, request)));
      const { idempotencyKey } = request;
      for (const claim of claims) expect(claim).toEqual({ outcome: 'completed', fileId, copyId, providerFileId: objectId, idempotencyKey });
    });

    it('refuses a content whose size is not the one on record', async () => {
      const { request } = await stored(on.ledger);
      const wrong = on.ledger.claim({ ...request, content: { ...request.content, sizeBytes: 1 } });
      await expect(wrong).rejects.toSatisfy((error) => error instanceof LedgerError && error.code === 'size_mismatch' && !error.retryable);
    });

    it.each([0, -1, 86_401])('refuses a lease of %d seconds', async (leaseSeconds) => {
      await expect(on.ledger.claim(claimRequest({ leaseSeconds }))).rejects.toBeInstanceOf(ValidationError);
    });
  });

  describe('when a lease runs out', () => {
    it('lets exactly one of 20 take over, tells it why, and takes the claim from its old owner', async () => {
      const request = claimRequest({ leaseSeconds: 0.2 });
      const lost = await won(on.ledger, request);
      await sleep(300);
      const claims = await Promise.all(Array.from({ length: 20 }, () => again(on.ledger, { ...request, leaseSeconds: 60 })));
      const winners = claims.filter((claim) => claim.outcome === 'claimed');
      expect(winners).toEqual([expect.objectContaining({ copyId: lost.copyId, attempts: 2, lastErrorCode: 'lease_expired' })]);
      expect(await on.ledger.renew(lost.copyId, request.owner, 60)).toBe(false);
      expect(await on.ledger.complete(lost.copyId, request.owner, 'late')).toBe(false);
      await on.ledger.fail(lost.copyId, request.owner, 'late');
      expect(await on.ledger.copies(lost.fileId)).toEqual([expect.objectContaining({ status: 'uploading', providerFileId: null })]);
    });

    it('lets its owner complete after all while nobody has taken over', async () => {
      const request = claimRequest({ leaseSeconds: 0.1 });
      const claim = await won(on.ledger, request);
      await sleep(200);
      expect(await on.ledger.complete(claim.copyId, request.owner, 'object')).toBe(true);
    });

    it('does not run out for an owner who renews it', async () => {
      const request = claimRequest({ leaseSeconds: 0.3 });
      const claim = await won(on.ledger, request);
      for (let round = 0; round < 4; round++) {
        await sleep(120);
        expect(await on.ledger.renew(claim.copyId, request.owner, 0.4)).toBe(true);
      }
      expect((await again(on.ledger, request)).outcome).toBe('busy');
    });
  });

  describe('when an upload ends', () => {
    it('takes the same completion any number of times, and keeps the first object', async () => {
      const { request, copyId, objectId, fileId } = await stored(on.ledger);
      expect(await on.ledger.complete(copyId, request.owner, objectId)).toBe(true);
      expect(await on.ledger.complete(copyId, 'somebody else', 'another object')).toBe(true);
      expect(await on.ledger.copies(fileId)).toEqual([expect.objectContaining({ status: 'completed', providerFileId: objectId })]);
    });

    it('gives a copy that failed to the next caller at once, with the reason, in the same row', async () => {
      const request = claimRequest();
      let claim = await won(on.ledger, request);
      for (let attempt = 2; attempt <= 8; attempt++) {
        await on.ledger.fail(claim.copyId, request.owner, `error_${attempt}`);
        claim = await won(on.ledger, request);
        expect(claim).toMatchObject({ attempts: attempt, lastErrorCode: `error_${attempt}` });
      }
      expect(await on.ledger.copies(claim.fileId)).toHaveLength(1);
    });

    it('ignores a failure of somebody who does not hold the claim, and of a completed copy', async () => {
      const request = claimRequest();
      const claim = await won(on.ledger, request);
      await on.ledger.fail(claim.copyId, 'somebody else', 'no');
      expect((await again(on.ledger, request)).outcome).toBe('busy');
      await on.ledger.complete(claim.copyId, request.owner, 'object');
      await on.ledger.fail(claim.copyId, request.owner, 'no');
      expect((await again(on.ledger, request)).outcome).toBe('completed');
    });

    it('has a damaged copy sent again, and remembers that it was damaged until it is completed', async () => {
      const { request, copyId } = await stored(on.ledger);
      await on.ledger.invalidate(copyId, 'verification_failed');
      expect(await won(on.ledger, request)).toMatchObject({ copyId, attempts: 2, lastErrorCode: 'verification_failed' });
      await on.ledger.fail(copyId, request.owner, 'timeout');
      expect(await won(on.ledger, request)).toMatchObject({ lastErrorCode: 'verification_failed' });
      await on.ledger.complete(copyId, request.owner, 'repaired');
      expect(await again(on.ledger, request)).toMatchObject({ outcome: 'completed', providerFileId: 'repaired' });
      await on.ledger.invalidate(copyId, 'gone');
      expect(await won(on.ledger, request)).toMatchObject({ lastErrorCode: 'gone' });
    });

    it('says that it does not know a copy', async () => {
      await expect(on.ledger.complete(randomUUID(), 'owner', 'object')).rejects.toBeInstanceOf(FileNotFoundError);
      await expect(on.ledger.renew(randomUUID(), 'owner', 60)).rejects.toBeInstanceOf(FileNotFoundError);
    });
  });
}
