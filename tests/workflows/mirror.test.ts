import { createHash, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { ProviderUnavailableError } from '../../src/domain/errors.ts';
import { STAGES, type Stage } from '../../src/domain/routing.ts';
import { type ServedLegacy, serveLegacy } from '../../workers/legacy-worker.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { createMemoryFileService, type MemoryFileService } from '../support/memory-file-service.ts';
import { type MirroredFacade, startMirrored } from '../support/mirrored-facade.ts';
import { type Running, runOn } from '../support/running.ts';

/** Both sides have the same files in the end: the real workflow, server, database and storage; legacy is a memory that fails when told. */

let proxy: FaultProxy;
let cutover: Running;
let legacy: MemoryFileService;
let served: ServedLegacy;
let app: MirroredFacade;
beforeAll(async () => {
  const { url, secretKey } = inject('supabase');
  // What workers and the facade reach the storage through, so that it can be away.
  proxy = await startFaultProxy(url);
  cutover = await runOn({ temporal: inject('temporal'), supabase: { url: proxy.url, secretKey }, stateDir: inject('stateDir') });
  legacy = createMemoryFileService('old');
  served = await serveLegacy(cutover.config, legacy);
});
afterAll(async () => {
  await served?.close();
  await cutover?.stop();
  await proxy?.close();
});
beforeEach(() => {
  legacy.files.clear();
  legacy.failing = null;
  app = startMirrored(cutover, legacy);
});
afterEach(async () => {
  proxy.reset();
  await app.close();
});

const outage = new ProviderUnavailableError('the old path is down', { code: 'unavailable', retryable: true });
const SOON = { timeout: 20_000, interval: 100 };
const mirrors = (id: string) => cutover.stores.mirrors.mirrorsOf(app.caller.userId, id);
const copies = (id: string) => cutover.stores.mirrors.legacyCopies(id, app.caller.userId);
const target = (answered: 'legacy' | 'unified', id: string) => ({ ...app.caller, answered, id, provider: 'supabase' });
const phase = async (answered: 'legacy' | 'unified', id: string) =>
  (await cutover.client.mirrorStatus(target(answered, id)).catch(() => null))?.phase;
const ended = (answered: 'legacy' | 'unified', id: string) => expect.poll(() => phase(answered, id), SOON).toBe('done');
/** Every upload to the provider fails from now on. */
const storageDown = () =>
  proxy.inject(
    ({ method, path }) => method === 'POST' && path.includes('/storage/v1/') && path.includes('/live/'),
    ...Array.from(
      { length: 500 },
      () => ({ kind: 'answer', status: 400, body: { statusCode: '500', error: 'Internal', message: 'down' } }) as const,
    ),
  );
async function read(id: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await app.facade.download(id, app.caller)).chunks) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}
async function staged(): Promise<string[]> {
  const under = `${cutover.config.supabase.bucket}/staging/`;
  const found: string[] = [];
  for await (const { objects } of cutover.stores.provider('supabase').list({ under, signal: AbortSignal.timeout(10_000) }))
    found.push(...objects.map(({ id }) => id));
  return found;
}

describe('Where both sides write and legacy counts', () => {
  test('unified gets what legacy answered, it is counted for the candidate, and the user sees it once', async () => {
    const file = await app.upload('twice the same');
    expect(file).toMatchObject({ servedBy: 'legacy', fallback: false });
    await expect.poll(() => mirrors(file.id), SOON).toMatchObject([{ tool: app.caller.tool, name: 'note.txt', legacyId: file.id }]);
    await ended('legacy', file.id);
    expect(await app.listed()).toEqual([file.id]);
    expect(await staged()).toEqual([]);
    expect((await cutover.stores.rollouts.evidence(app.caller.tool, 1)).arms.unified).toEqual({ operations: 1, failures: 0 });
    const [mirror] = await mirrors(file.id);
    expect(await cutover.stores.ledger.file(mirror?.fileId ?? '')).toMatchObject({ sha256: file.sha256, sizeBytes: 14 });
  });

  test('a deletion takes the mirror with it, and leaves the same content of another upload alone', async () => {
    const text = randomUUID();
    const [first, second] = [await app.upload(text), await app.upload(text)];
    for (const { id } of [first, second]) await ended('legacy', id);
    expect((await app.listed()).sort()).toEqual([first.id, second.id].sort());
    expect(await app.facade.delete(first.id, app.caller)).toBe(true);
    await expect.poll(() => mirrors(first.id), SOON).toEqual([]);
    expect(await mirrors(second.id)).toHaveLength(1);
    expect(await app.listed()).toEqual([second.id]);
  });

  test('the word of an upload that comes after the one of its deletion leaves nothing at unified', async () => {
    const file = await app.upload();
    await ended('legacy', file.id);
    await app.facade.delete(file.id, app.caller);
    await expect.poll(() => mirrors(file.id), SOON).toEqual([]);
    await ended('legacy', file.id);
    const text = `too late ${randomUUID()}`;
    const source = { kind: 'path', path: cutover.put('late.txt', text), sizeBytes: text.length, modifiedMs: 0 } as const;
    const late = {
      name: 'late.txt',
      sizeBytes: text.length,
      mimeType: null,
      purpose: 'storage',
      source,
      staged: false,
      step: 1,
      late: null,
    };
    await cutover.client.writeMirror(target('legacy', file.id), late);
    const sha256 = createHash('sha256').update(text).digest('hex');
    await expect.poll(() => cutover.stores.ledger.fileByHash(sha256), SOON).not.toBeNull();
    await ended('legacy', file.id);
    expect(await mirrors(file.id)).toEqual([]);
    expect(await app.listed()).toEqual([]);
  });

  test('a deletion gives up the mirror of a file on legal hold, whose object stays until it is released', async () => {
    const file = await app.upload(randomUUID());
    await ended('legacy', file.id);
    const [mirror] = await mirrors(file.id);
    const { ledger, retention } = cutover.stores;
    const fileId = mirror?.fileId ?? '';
    await retention.holdFile(fileId, true, { reason: 'a case', by: 'ann' });
    expect(await app.facade.delete(file.id, app.caller)).toBe(true);
    await expect.poll(() => mirrors(file.id), SOON).toEqual([]);
    await ended('legacy', file.id);
    expect(await ledger.copies(fileId)).toMatchObject([{ status: 'completed', legalHold: true, deletedAt: null }]);
    await retention.holdFile(fileId, false, { reason: null, by: 'ann' });
    expect(await ledger.references(fileId)).toEqual([]);
  });

  test('a failing unified side is repaired when it comes back; its failure counts once, and no caller hears of it', async () => {
    storageDown();
    const file = await app.upload();
    await expect.poll(() => phase('legacy', file.id), SOON).toBe('waiting');
    const status = await cutover.client.mirrorStatus(target('legacy', file.id));
    expect(status).toMatchObject({ wanted: 'present', trouble: expect.stringContaining('down') });
    expect(await cutover.client.mirrorCounts(app.caller.tool, null)).toEqual({ running: 1, failed: 0 });
    proxy.reset();
    await expect.poll(() => phase('legacy', file.id), { timeout: 60_000, interval: 200 }).toBe('done');
    expect(await mirrors(file.id)).toHaveLength(1);
    expect((await cutover.stores.rollouts.evidence(app.caller.tool, 1)).arms.unified).toEqual({ operations: 1, failures: 1 });
    expect(await staged()).toEqual([]);
  }, 90_000);

  test('a deletion during a mirror that cannot be written ends it, and nothing is left when unified comes back', async () => {
    storageDown();
    const file = await app.upload();
    await expect.poll(() => phase('legacy', file.id), SOON).toBe('waiting');
    expect(await app.facade.delete(file.id, app.caller)).toBe(true);
    await ended('legacy', file.id);
    proxy.reset();
    expect(await mirrors(file.id)).toEqual([]);
    expect(await staged()).toEqual([]);
    expect(await app.listed()).toEqual([]);
  }, 60_000);

  test('a read that fails at legacy is answered by unified', async () => {
    const text = randomUUID();
    const file = await app.upload(text);
    await ended('legacy', file.id);
    const { download, info } = legacy;
    legacy.download = legacy.info = async () => {
      throw outage;
    };
    try {
      expect(await read(file.id)).toBe(text);
      expect(await app.facade.info(file.id, app.caller)).toMatchObject({ id: file.id, sizeBytes: 36, sha256: file.sha256 });
    } finally {
      Object.assign(legacy, { download, info });
    }
  });
});

describe('Where both sides write and unified counts', () => {
  beforeEach(() => {
    app.routing.stage = 'ramp_down';
  });

  test('legacy gets what unified answered, which is listed once, and goes with it', async () => {
    const file = await app.upload();
    expect(file.servedBy).toBe('unified');
    await ended('unified', file.id);
    const [copy] = await copies(file.id);
    expect(legacy.files.get(copy?.legacyId ?? '')).toMatchObject({ sha256: file.sha256, name: 'note.txt', userId: app.caller.userId });
    expect(await app.listed()).toEqual([file.id]);
    expect(await app.facade.delete(file.id, app.caller)).toBe(true);
    expect(await app.listed()).toEqual([]);
    await expect.poll(() => legacy.files.size, SOON).toBe(0);
    await expect.poll(() => copies(file.id), SOON).toEqual([]);
    expect((await cutover.stores.rollouts.evidence(app.caller.tool, 1)).arms.legacy).toBeUndefined();
  });

  test('the same bytes uploaded twice have a copy each, and deleting one leaves the other at both sides', async () => {
    const text = randomUUID();
    const [first, second] = [await app.upload(text, 'one.txt'), await app.upload(text, 'one.txt')];
    for (const { id } of [first, second]) await ended('unified', id);
    expect(legacy.files.size).toBe(2);
    expect((await app.listed()).sort()).toEqual([first.id, second.id].sort());
    expect(await app.facade.delete(first.id, app.caller)).toBe(true);
    await expect.poll(() => legacy.files.size, SOON).toBe(1);
    await ended('unified', first.id);
    expect(await app.listed()).toEqual([second.id]);
    const [copy] = await copies(second.id);
    expect([...legacy.files.keys()]).toEqual([copy?.legacyId]);
    expect([await app.facade.delete(first.id, app.caller), await read(second.id)]).toEqual([false, text]);
  });

  test('a failing legacy side is repaired when it comes back', async () => {
    legacy.failing = outage;
    const file = await app.upload();
    await expect.poll(() => phase('unified', file.id), SOON).toBe('waiting');
    expect((await cutover.client.mirrorStatus(target('unified', file.id))).trouble).toContain('the old path is down');
    legacy.failing = null;
    await ended('unified', file.id);
    expect(legacy.files.size).toBe(1);
  }, 60_000);

  test('a file that is deleted and uploaded again while legacy is away is there once', async () => {
    legacy.failing = outage;
    const text = randomUUID();
    const file = await app.upload(text);
    await expect.poll(() => phase('unified', file.id), SOON).toBe('waiting');
    await app.facade.delete(file.id, app.caller);
    const again = await app.upload(text);
    legacy.failing = null;
    for (const { id } of [file, again]) await ended('unified', id);
    await expect.poll(() => legacy.files.size, SOON).toBe(1);
    await expect.poll(() => copies(again.id), SOON).toHaveLength(1);
    expect(await app.listed()).toEqual([again.id]);
  }, 60_000);

  test('a read that fails at unified is answered by legacy, under the same id', async () => {
    const text = randomUUID();
    const file = await app.upload(text);
    await ended('unified', file.id);
    proxy.inject(
      ({ method, path }) => method === 'GET' && path.includes('/storage/v1/object/'),
      ...Array.from({ length: 50 }, () => ({ kind: 'answer', status: 503 }) as const),
    );
    let asked = 0;
    const { download } = legacy;
    legacy.download = (...args) => {
      asked += 1;
      return download(...args);
    };
    expect(await read(file.id)).toBe(text);
    legacy.download = download;
    expect(asked).toBe(1);
  }, 60_000);
});

describe('An upload that arrives at unified after legacy had to answer', () => {
  test('becomes the mirror, and no other upload of the same bytes and name does', async () => {
    const { caller, routing } = app;
    Object.assign(routing, { stage: 'live', share: 100 });
    const text = randomUUID();
    const own = await app.upload(text);
    const impatient = startMirrored(cutover, legacy, { patience: { startMs: 5_000, doneMs: () => 1 } });
    Object.assign(impatient.caller, caller);
    Object.assign(impatient.routing, routing);
    const late = await impatient.upload(text);
    expect([own.servedBy, late.servedBy]).toEqual(['unified', 'legacy']);
    await expect.poll(() => mirrors(late.id), SOON).toHaveLength(1);
    await expect.poll(async () => (await app.listed()).sort(), SOON).toEqual([own.id, late.id].sort());
    await app.facade.delete(late.id, caller);
    await expect.poll(() => mirrors(late.id), SOON).toEqual([]);
    expect(await app.listed()).toEqual([own.id]);
    expect(await read(own.id)).toBe(text);
    await impatient.close();
  });

  test('is listed once, and deleted along', async () => {
    const impatient = startMirrored(cutover, legacy, { patience: { startMs: 5_000, doneMs: () => 1 } });
    const { caller, routing } = impatient;
    Object.assign(routing, { stage: 'live', share: 100 });
    const file = await impatient.upload();
    expect(file).toMatchObject({ servedBy: 'legacy', fallback: true });
    const own = () => cutover.stores.mirrors.mirrorsOf(caller.userId, file.id);
    await expect.poll(own, SOON).toHaveLength(1);
    await expect.poll(impatient.listed, SOON).toEqual([file.id]);
    await impatient.facade.delete(file.id, caller);
    await expect.poll(own, SOON).toEqual([]);
    expect(await impatient.listed()).toEqual([]);
    await impatient.close();
  });
});

test('a user sees each file once in every stage, whatever the stage in which it was uploaded', async () => {
  const uploaded: { id: string; stage: Stage }[] = [];
  for (const stage of STAGES) {
    Object.assign(app.routing, { stage, share: 100 });
    const file = await app.upload(undefined, `${stage}.txt`);
    uploaded.push({ id: file.id, stage });
    if (stage === 'dual_write' || stage === 'ramp_down') await ended(file.servedBy, file.id);
  }
  for (const stage of [...STAGES].reverse()) {
    app.routing.stage = stage;
    expect((await app.listed()).sort(), stage).toEqual(uploaded.map(({ id }) => id).sort());
    for (const { id } of uploaded) expect(await app.facade.info(id, app.caller), id).toMatchObject({ id });
  }
});
