import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { storageCapabilities } from '../../src/domain/capabilities.ts';
import { UploadError } from '../../src/domain/errors.ts';
import type { ReconcileItem } from '../../src/domain/reconciliation.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { MaintenanceLedger } from '../../src/ledger/maintenance-ledger.ts';
import { createSupabaseLedger } from '../../src/ledger/supabase-ledger.ts';
import { createSupabaseMaintenanceLedger } from '../../src/ledger/supabase-maintenance-ledger.ts';
import { createReconciler } from '../../src/manager/reconcile.ts';
import { markedName } from '../../src/providers/marked-name.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { type Planted, planter } from '../support/disagreements.ts';
import { createMemoryProvider, type MemoryProvider } from '../support/memory-provider.ts';
import { applyMigrations, createTestDatabase, startPostgrest } from '../support/postgrest.ts';
import { again, claimRequest, contentOf, won } from './ledger-samples.ts';

/** The steps of a reconciliation over the real ledger: what happens between judging an object and settling it, and when a step breaks. */

const signal = new AbortController().signal;

describe.each(['Supabase Lite', 'PostgREST'])('The steps of a reconciliation (%s)', (over) => {
  let ledger: Ledger;
  let maintenance: MaintenanceLedger;
  let close = async () => {};
  beforeAll(async () => {
    if (over === 'Supabase Lite') {
      ledger = createSupabaseLedger(inject('supabase'));
      maintenance = createSupabaseMaintenanceLedger(inject('supabase'));
      return;
    }
    const database = await createTestDatabase(inject('postgresUrl'));
    await applyMigrations(database.sql);
    const postgrest = await startPostgrest(database.url);
    ledger = createSupabaseLedger(postgrest);
    maintenance = createSupabaseMaintenanceLedger(postgrest);
    close = async () => {
      await postgrest.stop();
      await database.drop();
    };
  });
  afterAll(() => close());

  let place: MemoryProvider;
  let plant: ReturnType<typeof planter>;
  let order: { runId: string; graceSeconds: number; hashes: boolean; foreign: boolean };
  const old = () => new Date(Date.now() - 86_400_000).toISOString();
  beforeEach(() => {
    place = createMemoryProvider({ name: 'place', account: `place/${randomUUID()}`, pageSize: 2 });
    const provider = () => ({ ...place }) as never;
    plant = planter({ ledger, provider }, 'place', async (id, content) => {
      place.objects.set(id, { bytes: Buffer.from(content), mimeType: 'text/plain', createdAt: old() });
    });
    order = { runId: randomUUID(), graceSeconds: 0, hashes: true, foreign: false };
  });

  const reconciler = (provider: Provider = place) => createReconciler({ ledger, maintenance, provider: () => provider });
  async function find(provider: Provider = place): Promise<ReconcileItem[]> {
    const since = await maintenance.time();
    for (let after: string | null = null; ; ) {
      const { next } = await reconciler(provider).compareObjects('place', after, order, signal);
      if (next === null) break;
      after = next;
    }
    await reconciler(provider).findLost('place', null, since, order, signal);
    return await maintenance.findings(order.runId, { after: null, limit: 1000 });
  }
  async function settle(provider: Provider = place): Promise<ReconcileItem[]> {
    await reconciler(provider).settle(null, order, signal);
    return await maintenance.findings(order.runId, { after: null, limit: 1000 });
  }
  const trashOf = ({ objectId }: Pick<Planted, 'objectId'>) => objectId.replace(/^memory\//, `memory/trash/${order.runId}/`);
  const uploadAgain = (content: string) => claimRequest({ provider: 'place', account: place.account, content: contentOf(content) });

  test('record the same finding once, however often a page is given', async () => {
    const { objectId } = await plant.unknown();
    await find();
    expect((await find()).map((item) => item.objectId)).toEqual([objectId]);
  });

  test('take the age of an object from the clock of the database', async () => {
    const { objectId } = await plant.unknown();
    order.graceSeconds = 2 * 86_400;
    expect(await find()).toEqual([]);
    order.graceSeconds = 3600;
    expect((await find()).map((item) => item.objectId)).toEqual([objectId]);
  });

  test('leave an object alone that somebody uploads between its finding and its settling', async () => {
    const unknown = await plant.unknown();
    const damaged = await plant.other_size();
    await find();
    // The owner of the first asks for it as any upload does; the second is damaged, and somebody else has noticed.
    const request = uploadAgain(unknown.content);
    await won(ledger, request);
    await ledger.invalidate(damaged.copyId ?? '', 'verification_failed');
    const settled = await settle();
    expect(settled.map(({ action }) => action)).toEqual(['left', 'left']);
    expect(settled.map(({ detail }) => detail)).toEqual([expect.stringContaining('changed'), expect.stringContaining('changed')]);
    expect(place.objects.has(unknown.objectId)).toBe(true);
    expect(place.objects.has(damaged.objectId)).toBe(true);
  });

  test('leave an object alone on which a copy stands under an older address of the same bucket', async () => {
    const unknown = await plant.unknown();
    const stranded = await plant.stranded();
    for (const { content, objectId } of [unknown, stranded]) {
      const request = { ...uploadAgain(content), account: `older/${place.account}` };
      const { copyId } = await won(ledger, request);
      await ledger.complete(copyId, request.owner, objectId);
    }
    expect((await find()).map(({ kind }) => kind).sort()).toEqual(['stranded', 'unknown']);
    for (const { action, detail } of await settle())
      expect([action, detail]).toEqual(['left', expect.stringContaining('uses this content')]);
    expect([...place.objects.keys()].sort()).toEqual([unknown.objectId, stranded.objectId].sort());
    // Nor is a row of its own left behind, which the next upload would meet.
    const { fileId } = await again(ledger, { ...uploadAgain(unknown.content), account: `older/${place.account}` });
    expect(await ledger.copies(fileId)).toMatchObject([{ account: `older/${place.account}`, status: 'completed' }]);
  });

  test('let nobody upload a content while its object is being moved, and anybody afterwards', async () => {
    const unknown = await plant.unknown();
    await find();
    const outcomes: string[] = [];
    const { copy = async () => null } = place;
    await settle({
      ...place,
      copy: async (...args) => {
        outcomes.push((await again(ledger, uploadAgain(unknown.content))).outcome);
        return await copy(...args);
      },
    });
    expect(outcomes).toEqual(['busy']);
    expect((await again(ledger, uploadAgain(unknown.content))).outcome).toBe('claimed');
    expect(place.objects.has(trashOf(unknown))).toBe(true);
  });

  test('move an object once where an attempt that was taken for dead still runs beside the next one', async () => {
    const unknown = await plant.unknown();
    await find();
    const { copy = async () => null } = place;
    const [item] = await settle({
      ...place,
      copy: async (...args) => {
        await settle();
        return await copy(...args);
      },
    });
    expect(item).toMatchObject({ action: 'moved', detail: trashOf(unknown) });
    expect([...place.objects.keys()]).toEqual([trashOf(unknown)]);
    const [purged] = await ledger.copies(item?.fileId ?? '');
    expect(purged?.purgedAt).not.toBeNull();
  });

  test.each(['before the copy', 'before the deletion', 'before the ledger knew'])('go on where they broke off: %s', async (when) => {
    const stranded = await plant.stranded();
    await find();
    const outage = new UploadError('the network is away', { code: 'connection_lost', retryable: true });
    const breaking = {
      'before the copy': { ...place, copy: () => Promise.reject(outage) },
      'before the deletion': { ...place, delete: () => Promise.reject(outage) },
      'before the ledger knew': {
        ...place,
        delete: async (id: string) => {
          place.objects.delete(id);
          throw outage;
        },
      },
    }[when] as Provider;
    await expect(settle(breaking)).rejects.toThrow('the network is away');
    const [settled] = await settle();
    expect(settled).toMatchObject({ action: 'moved', detail: trashOf(stranded) });
    expect([...place.objects.keys()]).toEqual([trashOf(stranded)]);
    order.runId = randomUUID();
    expect(await find()).toEqual([]);
  });

  test('let nobody delete what they were moving when they died, and find it again once they begin anew', async () => {
    const stranded = await plant.stranded();
    await find();
    const [item] = await maintenance.findings(order.runId, { after: null, limit: 1 });
    const lease = { owner: 'dead', seconds: 0.05 };
    expect(await maintenance.condemn(order.runId, item?.position ?? 0, lease)).toMatchObject({ outcome: 'condemned' });
    await sleep(100);
    expect(await ledger.beginPurge(stranded.copyId ?? '', 'sweep', 60)).toBeNull();
    expect(await maintenance.releaseAbandoned()).toBeGreaterThan(0);
    expect(await ledger.copies(stranded.fileId ?? '')).toMatchObject([{ status: 'failed', deletedAt: null, leaseOwner: null }]);
    expect(await settle()).toMatchObject([{ action: 'left', detail: expect.stringContaining('changed') }]);
    order.runId = randomUUID();
    expect(await find()).toMatchObject([{ kind: 'stranded', objectId: stranded.objectId }]);
    expect(await settle()).toMatchObject([{ action: 'moved' }]);
  });

  test('give nothing back that is being moved', async () => {
    const unknown = await plant.unknown();
    await find();
    const { copy = async () => null } = place;
    const moved = await settle({
      ...place,
      copy: async (...args) => {
        await maintenance.releaseAbandoned();
        return await copy(...args);
      },
    });
    expect(moved).toMatchObject([{ action: 'moved', detail: trashOf(unknown) }]);
  });

  test('give an object back that cannot be moved, and say why', async () => {
    const unknown = await plant.unknown();
    await find();
    const refusal = new UploadError('larger than 5 GB', { code: 'file_too_large', retryable: false });
    expect(await settle({ ...place, copy: () => Promise.reject(refusal) })).toMatchObject([
      { action: 'failed', detail: 'larger than 5 GB' },
    ]);
    expect([...place.objects.keys()]).toEqual([unknown.objectId]);
    // Nothing purges it behind our back: it is found again.
    order.runId = randomUUID();
    expect(await find()).toMatchObject([{ kind: 'stranded', objectId: unknown.objectId }]);
  });

  test('do not believe that a copy is whole before they have seen it', async () => {
    const unknown = await plant.unknown();
    await find();
    const short: Provider = {
      ...place,
      copy: async (_, key) => {
        place.objects.set(`memory/${key}`, { bytes: Buffer.from('sho'), mimeType: 'text/plain', createdAt: old() });
        return `memory/${key}`;
      },
    };
    expect(await settle(short)).toMatchObject([{ action: 'failed', detail: expect.stringContaining('3 bytes instead of') }]);
    expect(place.objects.has(unknown.objectId)).toBe(true);
  });

  test('do not believe a listing that tells less of an object than the object itself', async () => {
    const [whole, damaged] = [await plant.whole(), await plant.other_size()];
    const sparse: Provider = {
      ...place,
      async *list(options) {
        for await (const { objects, next } of place.list(options))
          yield { objects: objects.map((object) => ({ ...object, sizeBytes: 0 })), next };
      },
    };
    expect((await find(sparse)).map(({ kind }) => kind)).toEqual(['other_size', 'other_size']);
    const settled = new Map((await settle(sparse)).map((item) => [item.objectId, item]));
    expect(settled.get(whole.objectId)).toMatchObject({ action: 'left', detail: expect.stringContaining('what the ledger says') });
    expect(settled.get(damaged.objectId)).toMatchObject({ action: 'moved' });
    expect(place.objects.has(whole.objectId)).toBe(true);
    expect((await again(ledger, uploadAgain(whole.content))).outcome).toBe('completed');
  });

  test('delete what was staged more than 14 days ago, where Cutover stages alone, and nothing else that lies there', async () => {
    const staged = (days: number | null, name: string = randomUUID()) => {
      const createdAt = days === null ? null : new Date(Date.now() - days * 86_400_000).toISOString();
      place.objects.set(`memory/staging/${name}`, { bytes: Buffer.from('staged'), mimeType: 'text/plain', createdAt: createdAt as string });
      return `memory/staging/${name}`;
    };
    const [left, ...others] = [staged(15), staged(13), staged(null), staged(15, 'photo.jpg')];
    expect(await find()).toEqual([]);
    const store: Provider = { ...place, name: 'supabase' };
    expect(await find(store)).toMatchObject([{ kind: 'staged', objectId: left, foundBytes: 6, action: 'none' }]);
    expect((await settle(store)).map(({ action }) => action)).toEqual(['deleted']);
    expect([...place.objects.keys()]).toEqual(others);
    expect(await maintenance.countFindings(order.runId)).toEqual([{ kind: 'staged', action: 'deleted', count: 1 }]);
  });

  test('take an object that serves two purposes from both', async () => {
    const damaged = await plant.other_size();
    const owner = randomUUID();
    const second = await won(ledger, { ...uploadAgain(damaged.content), purpose: 'extract', owner });
    await ledger.complete(second.copyId, owner, damaged.objectId);
    expect(await find()).toHaveLength(1);
    expect(await settle()).toMatchObject([{ kind: 'other_size', action: 'moved' }]);
    for (const purpose of ['storage', 'extract'])
      expect((await again(ledger, { ...uploadAgain(damaged.content), purpose })).outcome).toBe('claimed');
  });

  test('ask for what no listing has shown, and call only that lost which is not there', async () => {
    const whole = await plant.whole();
    const lost = await plant.lost();
    const blind: Provider = { ...place, async *list() {} };
    expect(await find(blind)).toMatchObject([{ kind: 'lost', objectId: lost.objectId }]);
    expect(await settle(blind)).toMatchObject([{ action: 'invalidated' }]);
    const copies = await ledger.copies(whole.fileId ?? '');
    expect(copies).toMatchObject([{ status: 'completed' }]);
    expect((await ledger.copies(lost.fileId ?? ''))[0]).toMatchObject({ status: 'failed', lastErrorCode: 'gone' });
  });

  test('do not take a missing bucket for an empty one where the ledger has files in it', async () => {
    const missing = new UploadError('no such bucket', { code: 'bucket_not_found' });
    const gone: Provider = {
      ...place,
      // biome-ignore lint/correctness/useYield: it fails before its first page
      async *list() {
        throw missing;
      },
    };
    expect(await find(gone)).toEqual([]);
    await plant.whole();
    await expect(find(gone)).rejects.toThrow('no such bucket');
  });

  describe('where ids are the vendor’s', () => {
    /** Makes ids of its own and marks names, as vendors do. */
    const vendorOf = (names: Map<string, string>): Provider => ({
      ...place,
      idOf: () => null,
      capabilities: storageCapabilities(1000),
      async *list(options) {
        for await (const { objects, next } of place.list(options))
          yield { objects: objects.map((object) => ({ ...object, name: names.get(object.id) ?? object.name })), next };
      },
    });
    const put = (id: string, content: string) =>
      place.objects.set(id, { bytes: Buffer.from(content), mimeType: 'text/plain', createdAt: old() });

    test('leave what was left over to retention, and what another ledger marked alone', async () => {
      const names = new Map<string, string>();
      const request = uploadAgain(`mine ${randomUUID()}`);
      const claim = await won(ledger, request);
      await ledger.fail(claim.copyId, request.owner, 'timeout');
      put('memory/file-1', 'left over');
      put('memory/file-2', 'of another ledger');
      put('memory/file-3', 'of a person');
      names.set('memory/file-1', markedName('a.pdf', claim.copyId, 'pdf'));
      names.set('memory/file-2', markedName('b.pdf', randomUUID(), 'pdf'));
      const vendor = vendorOf(names);

      expect((await find(vendor)).map(({ kind, objectId }) => [kind, objectId])).toEqual([
        ['stranded', 'memory/file-1'],
        ['unknown', 'memory/file-2'],
      ]);
      expect((await settle(vendor)).map(({ action }) => action)).toEqual(['left_to_retention', 'left']);
      expect([...place.objects.keys()]).toHaveLength(3);
      const [copy] = await ledger.copies(claim.fileId);
      expect(copy).toMatchObject({ status: 'failed', providerFileId: 'memory/file-1', deletionReason: `reconcile ${order.runId}` });
      // Retention may take it, and knows what.
      expect(await ledger.beginPurge(claim.copyId, 'sweep', 60)).toMatchObject({ providerFileId: 'memory/file-1' });
      order.runId = randomUUID();
      expect((await find(vendor)).map(({ kind }) => kind)).toEqual(['unknown']);
    });
  });
});
