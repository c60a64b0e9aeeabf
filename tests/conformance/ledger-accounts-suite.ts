import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Ledger, ProviderState } from '../../src/ledger/ledger.ts';
import { again, claimRequest, contentOf, reference, stored, won } from './ledger-samples.ts';

const fromNow = (ms: number) => new Date(Date.now() + ms).toISOString();

/** What is known of an account at a provider. */
export function describeAccounts(on: { ledger: Ledger }): void {
  describe('a copy that the provider will drop', () => {
    it('is handed out until then, and sent again after, with the reason', async () => {
      const request = claimRequest();
      const claim = await won(on.ledger, request);
      const expiresAt = fromNow(400);
      expect(await on.ledger.record(claim, request.owner, 'first', reference(), expiresAt)).toBe(true);
      const [copy] = await on.ledger.copies(claim.fileId);
      expect(Date.parse(copy?.expiresAt ?? '')).toBe(Date.parse(expiresAt));
      expect(await again(on.ledger, request)).toMatchObject({ outcome: 'completed', providerFileId: 'first' });

      await sleep(500);
      const { copyId } = await won(on.ledger, request);
      expect(await on.ledger.copies(claim.fileId)).toMatchObject([{ id: copyId, expiresAt: null, lastErrorCode: 'expired_at_provider' }]);
      expect(await on.ledger.complete(copyId, request.owner, 'second', fromNow(60_000))).toBe(true);
      expect(await again(on.ledger, request)).toMatchObject({ outcome: 'completed', providerFileId: 'second' });
    });

    it('has no end where none was said', async () => {
      const { fileId } = await stored(on.ledger);
      expect(await on.ledger.copies(fileId)).toMatchObject([{ expiresAt: null }]);
    });
  });

  describe('an object at a provider', () => {
    it('leads to its file and copy, in its own account alone, until it is deleted', async () => {
      const { fileId, copyId, objectId } = await stored(on.ledger, { provider: 'kimi' });
      const found = await on.ledger.copyByProviderId('kimi', 'main', objectId);
      expect(found).toEqual({ file: await on.ledger.file(fileId), copy: (await on.ledger.copies(fileId))[0] });
      expect(found?.copy.id).toBe(copyId);
      expect(await on.ledger.copyByProviderId('kimi', 'other', objectId)).toBeNull();
      expect(await on.ledger.copyByProviderId('glm', 'main', objectId)).toBeNull();
      expect(await on.ledger.copyByProviderId('kimi', 'main', 'no such "object" \0')).toBeNull();
      await on.ledger.softDelete(fileId, 'asked for');
      expect(await on.ledger.copyByProviderId('kimi', 'main', objectId)).toBeNull();
    });
  });

  describe('what stands on the objects of an account', () => {
    it('are its completed copies, also deleted and shadow ones, page by page', async () => {
      const account = randomUUID();
      const live = await stored(on.ledger, { account });
      const shadow = await stored(on.ledger, { account, namespace: 'shadow' });
      const deleted = await stored(on.ledger, { account });
      expect(await on.ledger.softDelete(deleted.fileId, 'asked for')).toBe(1);
      await won(on.ledger, claimRequest({ account }));
      const damaged = await stored(on.ledger, { account });
      await on.ledger.invalidate(damaged.copyId, 'gone');
      const ids = [live, shadow, deleted].map(({ copyId }) => copyId).sort();
      const first = await on.ledger.copiesAt('supabase', account, { after: null, limit: 2 });
      const rest = await on.ledger.copiesAt('supabase', account, { after: first.at(-1)?.id ?? null, limit: 2 });
      expect([...first, ...rest].map(({ id }) => id)).toEqual(ids);
      expect(await on.ledger.copiesAt('s3', account, { after: null, limit: 2 })).toEqual([]);
    });

    it('is sent again once it was said to be gone, also where it had been deleted', async () => {
      const deleted = await stored(on.ledger, { account: randomUUID() });
      await on.ledger.softDelete(deleted.fileId, 'asked for');
      await on.ledger.invalidate(deleted.copyId, 'bucket_emptied');
      expect(await again(on.ledger, deleted.request)).toMatchObject({ outcome: 'claimed', lastErrorCode: 'bucket_emptied' });
    });
  });

  describe('what an account holds', () => {
    it('is what is there, on its way or not yet purged, by purpose', async () => {
      const account = randomUUID();
      const sized = (sizeBytes: number, purpose = 'batch') => ({
        ...{ provider: 'kimi', account, purpose },
        content: { ...contentOf(randomUUID()), sizeBytes },
      });
      expect(await on.ledger.usage('kimi', account)).toEqual([]);
      await stored(on.ledger, sized(5_000_000_000));
      await won(on.ledger, claimRequest(sized(20)));
      await won(on.ledger, claimRequest({ ...sized(300), leaseSeconds: 0.05 }));
      const given = claimRequest(sized(4000));
      await on.ledger.fail((await won(on.ledger, given)).copyId, given.owner, 'timeout');
      const gone = claimRequest(sized(7000));
      await on.ledger.complete((await won(on.ledger, gone)).copyId, gone.owner, 'gone', fromNow(-1000));
      await stored(on.ledger, sized(1, 'vision'));
      const deleted = await stored(on.ledger, sized(2, 'vision'));
      await on.ledger.softDelete(deleted.fileId, 'expired');
      await sleep(100);

      const batch = { purpose: 'batch', files: 2, bytes: 5_000_000_020 };
      expect(await on.ledger.usage('kimi', account)).toEqual([batch, { purpose: 'vision', files: 2, bytes: 3 }]);
      await on.ledger.beginPurge(deleted.copyId, 'sweep', 60);
      await on.ledger.completePurge(deleted.copyId, 'sweep');
      expect(await on.ledger.usage('kimi', account)).toEqual([batch, { purpose: 'vision', files: 1, bytes: 1 }]);
      expect(await on.ledger.usage('glm', account)).toEqual([]);
    });
  });

  describe('how a provider looks', () => {
    const state = (change: Partial<ProviderState>) => ({
      ...{ provider: 'kimi', account: randomUUID(), reporter: 'host:1', circuit: 'closed' as const },
      ...{ lastErrorCode: null, lastError: null, lastErrorAt: null },
      ...change,
    });

    it('is the latest word of each process, the newest first', async () => {
      const account = randomUUID();
      const failing = { circuit: 'open', lastErrorCode: 'server_error', lastError: 'down\0 "now"', lastErrorAt: fromNow(0) } as const;
      await on.ledger.reportProviderState(state({ account }));
      await on.ledger.reportProviderState(state({ account, reporter: 'host:2' }));
      await sleep(5);
      await on.ledger.reportProviderState(state({ account, ...failing }));
      const told = (await on.ledger.providerStates()).filter((one) => one.account === account);
      expect(told).toMatchObject([
        { reporter: 'host:1', circuit: 'open', lastErrorCode: 'server_error', lastError: expect.stringMatching(/^down. "now"$/s) },
        { reporter: 'host:2', circuit: 'closed', lastError: null },
      ]);
      expect(Date.parse(told[0]?.lastErrorAt ?? '')).toBe(Date.parse(failing.lastErrorAt));
      expect(Math.abs(Date.parse(told[0]?.updatedAt ?? '') - Date.now())).toBeLessThan(60_000);
    });

    it('can be said by many at once', async () => {
      const account = randomUUID();
      await Promise.all(
        Array.from({ length: 30 }, (_, index) => on.ledger.reportProviderState(state({ account, reporter: `host:${index % 3}` }))),
      );
      expect((await on.ledger.providerStates()).filter((one) => one.account === account)).toHaveLength(3);
    });
  });

  describe('traffic', () => {
    it('is nothing in a time that has not come', async () => {
      expect(await on.ledger.traffic(fromNow(3_600_000))).toEqual([]);
    });
  });
}
