import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { mapErrors } from '../../activities/failures.ts';
import { createRetentionActivities } from '../../activities/retention.ts';
import { DeleteError, ProviderNotFoundError } from '../../src/domain/errors.ts';
import { copiesWith, type SweepProgress } from '../../src/domain/retention.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { RetentionLedger } from '../../src/ledger/retention-ledger.ts';
import { createSupabaseLedger } from '../../src/ledger/supabase-ledger.ts';
import { createSupabaseRetentionLedger } from '../../src/ledger/supabase-retention-ledger.ts';
import { type GuardedProvider, guarded } from '../../src/providers/guard.ts';
import { workflowBundle } from '../../workers/bundle.ts';
import { PHASE, RETENTION_SWEEP, STATUS, type SweepInput, sweepStatusQuery } from '../../workflows/contract.ts';
import { claimRequest, reference, won } from '../conformance/ledger-samples.ts';
import { createMemoryProvider, type MemoryProvider } from '../support/memory-provider.ts';
import { applyMigrations, createTestDatabase, type Postgrest, startPostgrest, type TestDatabase } from '../support/postgrest.ts';
import { quietRuntime } from '../support/running.ts';

/** The real workflow, Temporal server and database, over providers in memory; the ledger is its own, because sweeps look at everything. */

const taskQueue = `sweep-${randomUUID()}`;
let database: TestDatabase;
let postgrest: Postgrest;
let ledger: Ledger;
let retention: RetentionLedger;
let client: Client;
let native: NativeConnection;
let worker: Worker;
let running: Promise<void>;
let memory: MemoryProvider;
let limited: GuardedProvider;
/** Objects that the provider does not delete. */
const refused = new Set<string>();
/** What the next calls of these methods do instead; each once. */
let meddling: Partial<Record<'sweepExpired' | 'endPurges' | 'delete', ((call: () => Promise<unknown>) => Promise<unknown>)[]>> = {};

beforeAll(async () => {
  quietRuntime();
  database = await createTestDatabase(inject('postgresUrl'));
  await applyMigrations(database.sql);
  postgrest = await startPostgrest(database.url);
  ledger = createSupabaseLedger(postgrest);
  retention = createSupabaseRetentionLedger(postgrest);
  const { address } = inject('temporal');
  client = new Client({ connection: await Connection.connect({ address }) });
  native = await NativeConnection.connect({ address });
  memory = createMemoryProvider({ name: 'memory', account: 'memory/test' });
  const small = createMemoryProvider({ name: 'small', account: 'small/test' });
  limited = guarded(
    { ...small, capabilities: { ...small.capabilities, quota: { files: 10, bytes: null } } },
    { failures: 5, openMs: 1000 },
  );
  for (let at = 0; at < 10; at += 1)
    small.objects.set(`memory/live/aa/${at}`, { bytes: Buffer.from('x'), mimeType: 'text/plain', createdAt: '' });
  const deleteObject: MemoryProvider['delete'] = (id, signal) =>
    meddled('delete', async () => {
      if (refused.has(id)) throw new DeleteError('no', { code: 'forbidden', provider: 'memory' });
      return await memory.delete(id, signal);
    });
  const places: Record<string, GuardedProvider> = {
    memory: guarded({ ...memory, delete: deleteObject }, { failures: 1000, openMs: 1000 }),
    small: limited,
  };
  const activities = createRetentionActivities({
    retention: {
      ...retention,
      sweepExpired: (...args) => meddled('sweepExpired', () => retention.sweepExpired(...args)),
      endPurges: (...args) => meddled('endPurges', () => retention.endPurges(...args)),
    },
    provider(name) {
      const place = places[name];
      if (place === undefined) throw new ProviderNotFoundError(`no ${name}`, { code: 'provider_not_found' });
      return place;
    },
    providers: { all: () => Object.values(places) },
  });
  worker = await Worker.create({
    connection: native,
    taskQueue,
    activities: mapErrors(activities),
    workflowBundle: { codePath: await workflowBundle(inject('stateDir')) },
    maxHeartbeatThrottleInterval: '500 milliseconds',
  });
  running = worker.run();
}, 60_000);
afterAll(async () => {
  worker?.shutdown();
  await running;
  await native?.close();
  await client?.connection.close();
  await postgrest?.stop();
  await database?.drop();
});
beforeEach(async () => {
  meddling = {};
  refused.clear();
  await database.sql`truncate files, provider_file_uploads, file_references, file_holds, sweep_runs, sweep_items cascade`;
  memory.objects.clear();
});

async function meddled<T>(name: keyof typeof meddling, call: () => Promise<T>): Promise<T> {
  const instead = meddling[name]?.shift();
  return instead === undefined ? await call() : ((await instead(call)) as T);
}

const INPUT: SweepInput = {
  dryRun: false,
  rules: { retentionDays: 30, orphanDays: 7, graceDays: 7, quotaMinAgeDays: 1, includeReview: false },
  quota: { start: 0.9, target: 0.8 },
  filesPerPage: 1000,
  purgesPerPage: 100,
  concurrency: 4,
  pagesPerRun: 500,
};

async function start(over: Partial<SweepInput> = {}) {
  const workflowId = `sweep-${randomUUID()}`;
  const handle = await client.workflow.start(RETENTION_SWEEP, {
    workflowId,
    taskQueue,
    args: [{ ...INPUT, ...over } satisfies SweepInput],
  });
  return { handle, status: () => handle.query(sweepStatusQuery), ended: () => handle.result() as Promise<SweepProgress> };
}
const sweep = async (over: Partial<SweepInput> = {}) => await (await start(over)).ended();

interface Stored {
  fileId: string;
  copyId: string;
  objectId: string;
}
/** A content with an object at a provider, last read so many days ago. */
async function stored(
  days: number,
  { keep, provider = 'memory', account = `${provider}/test` }: { keep?: 'keep' | 'expire'; provider?: string; account?: string } = {},
): Promise<Stored> {
  const request = claimRequest({ provider, account });
  const objectId = memory.idOf(request.content.sha256, 'live') ?? '';
  const { fileId, copyId } = await won(ledger, request);
  memory.objects.set(objectId, { bytes: Buffer.from('x'), mimeType: 'text/plain', createdAt: '' });
  await ledger.complete(copyId, request.owner, objectId);
  if (keep !== undefined) await ledger.addReference(fileId, reference({ keep }));
  await database.sql`update files set accessed_at = now() - make_interval(days => ${days}) where id = ${fileId}`;
  return { fileId, copyId, objectId };
}
/** … that was deleted so many days ago. */
async function deleted(days: number, where: Parameters<typeof stored>[1] = {}): Promise<Stored> {
  const file = await stored(0, where);
  await ledger.softDelete(file.fileId, 'by hand');
  await database.sql`update provider_file_uploads set deleted_at = now() - make_interval(days => ${days}) where id = ${file.copyId}`;
  return file;
}
const many = <T>(count: number, make: () => Promise<T>): Promise<T[]> => Promise.all(Array.from({ length: count }, make));
const copyOf = async ({ fileId }: Stored) => (await ledger.copies(fileId))[0];
const itemsOf = async (runId: string) =>
  (await retention.sweepItems(runId, { after: null, limit: 10_000 }))
    .map(({ action, reason, copyId }) => `${action} ${reason} ${copyId}`)
    .sort();
/** All that a sweep may change. */
const everything = () =>
  database.sql`select id, upload_status, deleted_at, deletion_reason, purged_at, lease_owner, needs_review from provider_file_uploads order by id`;

describe('A sweep', { timeout: 60_000 }, () => {
  test('takes what expired, what failed uploads left and what is oldest where an account is nearly full, and tells why; holds and references keep', async () => {
    const expired = [await stored(31, { keep: 'expire' }), await stored(40)];
    const kept = await stored(31, { keep: 'keep' });
    const held = await stored(31);
    await retention.holdFile(held.fileId, true, { reason: null, by: 'ann' });
    const failed = claimRequest({ provider: 'memory', account: 'memory/test', owner: 'me' });
    const { copyId, fileId } = await won(ledger, failed);
    await ledger.fail(copyId, 'me', 'timeout');
    await database.sql.begin(async (sql) => {
      await sql`alter table provider_file_uploads disable trigger provider_file_uploads_updated_at`;
      await sql`update provider_file_uploads set updated_at = now() - interval '8 days' where id = ${copyId}`;
      await sql`alter table provider_file_uploads enable trigger provider_file_uploads_updated_at`;
    });
    const crowded = [
      await stored(20, { provider: 'small' }),
      await stored(10, { provider: 'small' }),
      await stored(5, { provider: 'small' }),
    ];
    const before = await everything();
    const dry = await sweep({ dryRun: true });
    expect(await everything()).toEqual(before);
    const swept = await sweep();
    expect(swept).toMatchObject({ status: 'completed', phase: 'over', notes: [] });
    expect(swept.counts.map(({ action, reason, outcome, copies }) => [action, reason, outcome, copies])).toEqual([
      ['mark', 'expired', 'done', 2],
      ['mark', 'orphaned', 'done', 1],
      ['mark', 'quota', 'done', 2],
    ]);
    expect(await itemsOf(dry.runId)).toEqual(await itemsOf(swept.runId));
    for (const file of expired) expect(await copyOf(file)).toMatchObject({ deletionReason: 'expired', purgedAt: null });
    for (const file of [kept, held]) expect(await copyOf(file)).toMatchObject({ deletedAt: null });
    expect((await ledger.copies(fileId))[0]).toMatchObject({ deletionReason: 'orphaned', status: 'failed' });
    expect(await Promise.all(crowded.map(async (file) => (await copyOf(file))?.deletionReason))).toEqual(['quota', 'quota', null]);
    const after = await everything();
    expect((await sweep()).counts).toEqual([]);
    expect(await everything()).toEqual(after);
    expect((await retention.retentionState()).lastSuccess).toMatchObject({ status: 'completed', totals: [] });
  });

  test('takes what its provider drops soon or has dropped, lists the same in a dry run, tells of what is kept, and purges what is gone', async () => {
    const ends = (file: Stored, hours: number) =>
      database.sql`update provider_file_uploads set completed_at = now() - make_interval(hours => ${48 - hours}),
        expires_at = now() + make_interval(hours => ${hours}) where id = ${file.copyId}`;
    const soon = await stored(3);
    const gone = await stored(3, { keep: 'expire' });
    const later = await stored(3);
    const [kept, lost] = [await stored(3, { keep: 'keep' }), await stored(3, { keep: 'keep' })];
    await Promise.all([ends(soon, 4), ends(gone, -4), ends(later, 10), ends(kept, 4), ends(lost, -100)]);
    for (const { objectId } of [gone, lost]) memory.objects.delete(objectId);
    const before = await everything();
    const dry = await sweep({ dryRun: true });
    expect(await everything()).toEqual(before);
    const swept = await sweep();
    expect(swept.counts).toMatchObject([{ action: 'mark', reason: 'quota', outcome: 'done', copies: 2 }]);
    expect(await itemsOf(dry.runId)).toEqual(await itemsOf(swept.runId));
    expect(dry.notes).toEqual(swept.notes);
    expect(swept.notes.slice(0, 2)).toEqual([
      expect.stringMatching(/^1 copy that somebody keeps or has just read, the first within (4 h|3 h 59 min), will be dropped by memory/),
      expect.stringMatching(/^1 copy that somebody keeps or has just read was dropped by memory/),
    ]);
    for (const file of [soon, gone]) expect(await copyOf(file)).toMatchObject({ deletionReason: 'quota', purgedAt: null });
    for (const file of [later, kept, lost]) expect(await copyOf(file)).toMatchObject({ deletedAt: null });
    const next = await sweep({ rules: { ...INPUT.rules, graceDays: 0 } });
    expect(next.counts).toMatchObject([{ action: 'purge', reason: 'quota', outcome: 'done', copies: 2 }]);
    for (const file of [soon, gone]) expect(await copyOf(file)).toMatchObject({ purgedAt: expect.any(String), needsReview: false });
    expect([memory.objects.has(soon.objectId), memory.objects.has(later.objectId)]).toEqual([false, true]);
  });

  test('lets objects go after the grace; what cannot be reached from here is passed over with a reason, as the dry run had said', async () => {
    const due = await many(7, () => deleted(8));
    const early = await deleted(6);
    const elsewhere = await deleted(8, { account: 'other/test' });
    const unknown = await deleted(8, { provider: 'vanished' });
    const dry = await sweep({ dryRun: true, purgesPerPage: 3 });
    const swept = await sweep({ purgesPerPage: 3 });
    for (const file of due) expect([memory.objects.has(file.objectId), (await copyOf(file))?.purgedAt !== null]).toEqual([false, true]);
    for (const file of [early, elsewhere, unknown])
      expect([memory.objects.has(file.objectId), (await copyOf(file))?.purgedAt]).toEqual([true, null]);
    expect([copiesWith(swept.counts, { outcome: 'done' }), copiesWith(swept.counts, { outcome: 'skipped' })]).toEqual([7, 2]);
    expect(swept.notes.join()).toMatch(/account other\/test were skipped: the one configured here is memory\/test/);
    expect(swept.notes.join()).toMatch(/vanished were skipped: it is not configured here/);
    expect(await itemsOf(dry.runId)).toEqual(await itemsOf(swept.runId));
    const after = await everything();
    expect(copiesWith((await sweep()).counts, { outcome: 'done' })).toBe(0);
    expect(await everything()).toEqual(after);
  });

  test('removes what an upload may have left whose answer never came', async () => {
    const request = claimRequest({ provider: 'memory', account: 'memory/test', owner: 'me' });
    const { copyId } = await won(ledger, request);
    await ledger.fail(copyId, 'me', 'timeout');
    const objectId = memory.idOf(request.content.sha256, 'live') ?? '';
    memory.objects.set(objectId, { bytes: Buffer.from('left'), mimeType: 'text/plain', createdAt: '' });
    await sleep(20);
    await sweep({ rules: { ...INPUT.rules, orphanDays: 0 } });
    expect(memory.objects.has(objectId)).toBe(true);
    await sweep({ rules: { ...INPUT.rules, graceDays: 0 } });
    expect(memory.objects.has(objectId)).toBe(false);
    expect((await retention.retentionState()).waiting).toBe(0);
  });

  test('goes on past a purge that fails, which after five nights waits for a person and is tried again when asked', async () => {
    const [bad, ...good] = await many(6, () => deleted(8));
    refused.add(bad?.objectId ?? '');
    for (let night = 1; night <= 5; night += 1) {
      const { counts } = await sweep();
      expect(copiesWith(counts, { outcome: 'failed' })).toBe(1);
    }
    for (const file of good) expect(memory.objects.has(file.objectId)).toBe(false);
    expect((await retention.retentionState()).inReview).toBe(1);
    expect((await sweep()).counts).toEqual([]);
    refused.clear();
    const again = await sweep({ rules: { ...INPUT.rules, includeReview: true } });
    expect(copiesWith(again.counts, { outcome: 'done' })).toBe(1);
    expect((await retention.retentionState()).inReview).toBe(0);
  });

  test('is done again where it broke in the middle: each copy is counted once, and the ledger is right', async () => {
    await many(5, () => stored(31));
    const due = await many(5, () => deleted(8));
    const lostAnswer = async (call: () => Promise<unknown>) => {
      await call();
      throw new Error('the connection was lost');
    };
    const broke = async () => Promise.reject(new Error('killed before it was recorded'));
    meddling = { sweepExpired: [lostAnswer], endPurges: [broke, lostAnswer] };
    const swept = await sweep({ filesPerPage: 3 });
    expect([copiesWith(swept.counts, { action: 'mark' }), copiesWith(swept.counts, { action: 'purge', outcome: 'done' })]).toEqual([5, 5]);
    for (const file of due) expect((await copyOf(file))?.purgedAt).toEqual(expect.any(String));
    expect(memory.objects.size).toBe(5);
  });

  test('never touches uploads, neither those under way nor those that begin while it runs', async () => {
    const files = await many(12, () => stored(31));
    const shas = await Promise.all(files.map(async ({ fileId }) => (await ledger.file(fileId))?.sha256 ?? ''));
    const sizes = await Promise.all(files.map(async ({ fileId }) => (await ledger.file(fileId))?.sizeBytes ?? 0));
    const claim = (at: number) =>
      won(
        ledger,
        claimRequest({
          content: { sha256: shas[at] ?? '', sizeBytes: sizes[at] ?? 0, mimeType: 'text/plain' },
          provider: 'elsewhere',
          owner: `upload ${at}`,
        }),
      );
    const early = [await claim(0), await claim(1)];
    const late: Awaited<ReturnType<typeof won>>[] = [];
    meddling.sweepExpired = [
      async (call) => await call(),
      async (call) => {
        for (const at of [2, 3, 4, 5, 6]) late.push(await claim(at));
        return await call();
      },
    ];
    await sweep({ filesPerPage: 4 });
    expect(late).toHaveLength(5);
    for (const [at, { copyId, fileId }] of [...early, ...late].entries()) {
      const copies = await ledger.copies(fileId);
      expect(copies.find(({ id }) => id === copyId)).toMatchObject({ status: 'uploading', deletedAt: null });
      expect(await ledger.complete(copyId, `upload ${at}`, 'sent')).toBe(true);
    }
    for (const { fileId } of early) expect((await ledger.copies(fileId)).every(({ deletedAt }) => deletedAt === null)).toBe(true);
  });

  test('is paused and resumed by signals, with a reason or without one, and says so where people look', async () => {
    await many(4, () => stored(31));
    let release = () => {};
    meddling.sweepExpired = [
      async (call) => {
        await new Promise<void>((resolve) => {
          release = resolve;
        });
        return await call();
      },
    ];
    const { handle, status, ended } = await start({ filesPerPage: 2 });
    await expect.poll(async () => (await status()).phase, { interval: 20 }).toBe('expired');
    await handle.signal('pause', { reason: 'look' });
    release();
    await expect.poll(async () => (await status()).counts.length, { interval: 20 }).toBe(1);
    const paused = await status();
    await sleep(300);
    expect(await status()).toMatchObject({ status: 'paused', reason: 'look', pages: paused.pages });
    await expect.poll(async () => (await handle.describe()).typedSearchAttributes.get(STATUS), { timeout: 10_000 }).toBe('paused');
    await handle.signal('resume');
    expect(await ended()).toMatchObject({ status: 'completed', counts: [{ reason: 'expired', copies: 4 }] });
    const attributes = (await handle.describe()).typedSearchAttributes;
    expect([attributes.get(STATUS), attributes.get(PHASE)]).toEqual(['completed', 'over']);
  });

  test.each(['the signal', 'a cancellation in Temporal'])(
    'is stopped in the middle of a page by %s: what it has begun is done and recorded',
    async (by) => {
      const due = await many(8, () => deleted(8));
      let release = () => {};
      const gate = new Promise<void>((resolve) => {
        release = resolve;
      });
      const slow = async (call: () => Promise<unknown>) => {
        await gate;
        return await call();
      };
      meddling.delete = [slow, slow];
      const { handle, status, ended } = await start({ concurrency: 2 });
      await expect.poll(async () => (await status()).phase, { interval: 20 }).toBe('purge');
      await sleep(300);
      if (by === 'the signal') await handle.signal('stop', { reason: 'enough' });
      else await handle.cancel();
      await sleep(1500);
      release();
      if (by === 'the signal') expect(await ended()).toMatchObject({ status: 'stopped', reason: 'enough' });
      else await expect(ended()).rejects.toThrow();
      const [run] = await retention.sweeps(1);
      expect(run).toMatchObject({ status: 'stopped' });
      expect([copiesWith(run?.totals ?? [], { outcome: 'done' }), copiesWith(run?.totals ?? [], { outcome: 'left' })]).toEqual([2, 6]);
      const copies = await Promise.all(due.map(copyOf));
      expect(copies.filter((copy) => copy?.purgedAt !== null)).toHaveLength(2);
      expect(copies.every((copy) => copy?.leaseOwner === null)).toBe(true);
      expect(memory.objects.size).toBe(6);
      expect(copiesWith((await sweep()).counts, { outcome: 'done' })).toBe(6);
    },
  );

  test('continues as new and loses neither its place nor its counts', async () => {
    await many(9, () => stored(31));
    const { handle, ended } = await start({ filesPerPage: 2, pagesPerRun: 2 });
    expect(await ended()).toMatchObject({ status: 'completed', counts: [{ reason: 'expired', outcome: 'done', copies: 9 }] });
    const runs: string[] = [];
    for await (const { runId } of client.workflow.list({ query: `WorkflowId = '${handle.workflowId}'` })) runs.push(runId);
    expect(runs.length).toBeGreaterThan(2);
    expect(await retention.sweeps(10)).toHaveLength(1);
  });

  test('deletes nothing early where the clock of the worker is wrong by a day: the database counts', async () => {
    const [almost, due] = [await stored(29), await deleted(6)];
    const real = Date.now;
    Date.now = () => real() + 86_400_000 * 1.5;
    try {
      expect((await sweep()).counts).toEqual([]);
    } finally {
      Date.now = real;
    }
    expect([(await copyOf(almost))?.deletedAt, (await copyOf(due))?.purgedAt]).toEqual([null, null]);
  });

  test('that the ledger refuses fails with its reason, and is retried by nobody', async () => {
    await expect(sweep({ rules: { ...INPUT.rules, retentionDays: -1 } })).rejects.toMatchObject({
      cause: { message: expect.stringContaining('retentionDays') },
    });
  });
});
