import { randomBytes, randomUUID } from 'node:crypto';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFileManager, type FileManager } from '../../src/manager/file-manager.ts';
import { uploadWorkflowId } from '../../workflows/contract.ts';
import { type Running, runCutover } from '../support/cutover.ts';
import { type GeminiServer, startGeminiServer } from '../support/gemini-server.ts';

/** The manager over real workflows, a real ledger and storage, and a provider that drops files by itself. */

let gemini: GeminiServer;
let cutover: Running;
let manager: FileManager;
const lines: Record<string, unknown>[] = [];
beforeAll(async () => {
  gemini = await startGeminiServer();
  cutover = await runCutover({ GEMINI_API_KEY: gemini.apiKey, GEMINI_BASE_URL: gemini.url }, { workers: 2 });
  const sink = new Writable({
    write(chunk, _, done) {
      lines.push(JSON.parse(String(chunk)));
      done();
    },
  });
  manager = createFileManager({
    ...cutover.stores,
    uploads: async () => cutover.client,
    smartHandler: cutover.config.providers.smartHandler,
    log: pino(sink),
  });
});
afterAll(async () => {
  await cutover.stop();
  await gemini.close();
});

const signal = AbortSignal.timeout(120_000);
const reference = (name: string) => ({
  tool: 'test',
  userId: null,
  name,
  purpose: 'storage',
  context: null,
  tags: [],
  keep: 'keep' as const,
});
const put = (name: string, to = 'supabase', content: Uint8Array = randomBytes(2000)) =>
  manager.upload(cutover.put(`${randomUUID()}/${name}`, content), { provider: to, reference: reference(name), signal });

describe('an id at a provider that drops files', () => {
  test('works after the provider has dropped the file: it is uploaded again from the copy in the storage', async () => {
    const { fileId } = await put('notes.txt');
    const first = await manager.ensure(fileId, 'gemini', { signal });
    expect(first).toMatchObject({ outcome: 'uploaded', provider: 'gemini', replaced: null });
    expect(Date.parse(first.expiresAt ?? '') - Date.now()).toBeGreaterThan(47 * 3_600_000);
    expect(await manager.ensure('notes.txt', 'gemini', { signal })).toMatchObject({
      outcome: 'there',
      providerFileId: first.providerFileId,
    });

    gemini.expireAll();
    // By the dead id itself, which is what an application has kept.
    const again = await manager.ensure(first.providerFileId, 'gemini', { signal });
    expect(again).toMatchObject({ outcome: 'uploaded_again', fileId, replaced: first.providerFileId });
    expect(again.providerFileId).not.toBe(first.providerFileId);
    expect(await cutover.stores.provider('gemini').info(again.providerFileId, signal)).toMatchObject({ sizeBytes: 2000 });
    expect(await manager.references(fileId)).toMatchObject([{ tool: 'test', name: 'notes.txt', purpose: 'storage' }]);
  }, 60_000);

  test('is asked for by many at once and made by one upload', async () => {
    const { fileId } = await put('many.txt');
    const before = await manager.ensure(fileId, 'gemini', { signal });
    gemini.expireAll();
    const all = await Promise.all(Array.from({ length: 20 }, () => manager.ensure(fileId, 'gemini', { signal })));
    const ids = new Set(all.map(({ providerFileId }) => providerFileId));
    expect(ids.size).toBe(1);
    expect(ids).not.toContain(before.providerFileId);
    let objects = 0;
    for await (const page of cutover.stores.provider('gemini').list({ signal })) objects += page.objects.length;
    expect(objects).toBe(1);
  }, 60_000);

  test('is not to be had where no copy can be read', async () => {
    const { fileId } = await put('only.txt', 'gemini');
    gemini.expireAll();
    await expect(manager.ensure(fileId, 'gemini', { signal })).rejects.toMatchObject({
      code: 'original_not_available',
      message: expect.stringContaining('gemini'),
    });
  });
});

describe('an operation of the manager', () => {
  test('has one id in the answer, in the log and in the workflow', async () => {
    const operationId = randomUUID();
    let workflowId = '';
    const path = cutover.put('followed.txt', randomBytes(10));
    const uploaded = await manager.upload(path, {
      ...{ provider: 'supabase', reference: reference('followed.txt'), operationId, signal },
      onStarted: (started) => {
        workflowId = started.workflowId;
      },
    });
    expect(uploaded).toMatchObject({ outcome: 'uploaded', operationId });
    expect(await cutover.temporal.workflow.getHandle(workflowId).describe()).toMatchObject({ memo: { operationId } });
    expect(lines.find((line) => line.operationId === operationId)).toMatchObject({ operation: 'upload', msg: 'upload done' });
    const other = await manager.info(uploaded.fileId, { signal });
    expect(other.operationId).toMatch(/^[0-9a-f-]{36}$/);
    expect(other.operationId).not.toBe(operationId);
  });

  test('that fails is logged with its code, and nothing was started for a provider that is not there', async () => {
    const operationId = randomUUID();
    const path = cutover.put('nowhere.txt', 'x');
    const idempotencyKey = randomUUID();
    const options = { provider: 'nowhere', reference: reference('nowhere.txt'), operationId, idempotencyKey, signal };
    await expect(manager.upload(path, options)).rejects.toMatchObject({ code: 'provider_not_found' });
    expect(lines.find((line) => line.operationId === operationId)).toMatchObject({ code: 'provider_not_found', msg: 'upload failed' });
    await expect(cutover.temporal.workflow.getHandle(uploadWorkflowId(idempotencyKey)).describe()).rejects.toThrow();
  });

  test('reads, finds and gives up what was uploaded, and knows where it is', async () => {
    const content = randomBytes(300_000);
    const { fileId, sha256, provider } = await put('whole.bin', 'supabase', content);
    expect(await manager.exists({ sha256 })).toBe(true);
    expect(await manager.exists({ id: fileId }, provider)).toBe(true);
    expect(await manager.exists({ id: fileId }, 'gemini')).toBe(false);
    expect(await manager.exists({ id: randomUUID() })).toBe(false);
    const { chunks, sizeBytes } = await manager.read(sha256, { signal });
    const read: Uint8Array[] = [];
    for await (const chunk of chunks) read.push(Buffer.from(chunk));
    expect(sizeBytes).toBe(content.length);
    expect(Buffer.concat(read).equals(content)).toBe(true);
    expect((await manager.info(fileId, { signal })).copies).toMatchObject([{ provider: 'supabase', object: { sizeBytes: 300_000 } }]);
    expect(await manager.delete(fileId, { reason: 'test', purge: true, signal })).toMatchObject({ references: 1, purged: 1 });
    expect(await manager.exists({ id: fileId })).toBe(false);
  });

  test('tells of the providers that there are', async () => {
    const names = (await manager.listAvailableProviders({ signal })).map(({ name, available }) => [name, available]);
    expect(names).toEqual([
      ['gemini', true],
      ['supabase', true],
    ]);
    expect(await manager.getProviderStatus('gemini', { signal })).toMatchObject({ name: 'gemini', circuit: 'closed' });
  });
});

describe('a file for which nobody named a provider', () => {
  const handle = (name: string, content: string | Uint8Array, purpose: string) =>
    manager.handle(cutover.put(`${randomUUID()}/${name}`, content), { reference: { ...reference(name), purpose }, signal });

  test('goes where its use is served: to a storage, to a model, or nowhere where its text will do', async () => {
    const kept = await handle('kept.txt', 'short', 'storage');
    expect(kept).toMatchObject({ action: 'upload', provider: 'supabase', result: { provider: 'supabase' } });
    expect(await handle('read.bin', randomBytes(100), 'extract')).toMatchObject({
      ...{ action: 'upload', provider: 'gemini', purpose: 'extract' },
      considered: [
        { provider: 'gemini', taken: true },
        { provider: 'supabase', taken: false, why: expect.stringContaining('not for extract') },
      ],
    });
    expect(await handle('read.txt', 'short', 'extract')).toMatchObject({ action: 'inline', text: 'short' });
  });

  test('goes to the next provider where the first is down, before Temporal waits an outage out', async () => {
    const dead = await runCutover({
      ...{ GEMINI_API_KEY: gemini.apiKey, GEMINI_BASE_URL: 'http://127.0.0.1:9', MAX_RETRY_ATTEMPTS: '0' },
      SMART_HANDLER_PROVIDERS: 'gemini,supabase',
    });
    const { smartHandler } = dead.config.providers;
    const other = createFileManager({ ...dead.stores, uploads: async () => dead.client, smartHandler });
    const options = { reference: { ...reference('label.txt'), purpose: 'a label of ours' }, signal };
    // A storage takes any label; Gemini is made to.
    const takesAll = { ...dead.stores.provider('gemini'), capabilities: dead.stores.provider('supabase').capabilities };
    const provider = (name: string) => (name === 'gemini' ? takesAll : dead.stores.provider(name));
    const providers = { ...dead.stores.providers, all: () => [takesAll, dead.stores.provider('supabase')] };
    const both = createFileManager({ ...dead.stores, provider, providers, uploads: async () => dead.client, smartHandler });
    const path = dead.put('label.txt', randomBytes(50));
    expect(await both.uploadToBest(path, options)).toMatchObject({
      provider: 'supabase',
      considered: [
        { provider: 'gemini', taken: false, why: expect.stringContaining('nothing listens there') },
        { provider: 'supabase', taken: true },
      ],
    });
    await expect(other.uploadToBest(path, { ...options, reference: { ...options.reference, purpose: 'batch' } })).rejects.toMatchObject({
      code: 'connection_refused',
    });
    await dead.stop();
  }, 60_000);

  test('has few tries where there is another place, so that an outage on the way is told', async () => {
    const dead = await runCutover({ GEMINI_API_KEY: gemini.apiKey, GEMINI_BASE_URL: 'http://127.0.0.1:9', MAX_RETRY_ATTEMPTS: '0' });
    const path = dead.put('tried.txt', randomBytes(50));
    const manager = createFileManager({ ...dead.stores, uploads: async () => dead.client });
    const upload = manager.upload(path, { provider: 'gemini', reference: reference('tried.txt'), attempts: 2, signal });
    await expect(upload).rejects.toMatchObject({ code: 'connection_refused', provider: 'gemini' });
    await dead.stop();
  }, 60_000);
});
