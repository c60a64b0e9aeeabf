import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { storageCapabilities } from '../../src/domain/capabilities.ts';
import { ProviderNotFoundError, ProviderUnavailableError, ValidationError } from '../../src/domain/errors.ts';
import type { FileRecord, NewReference } from '../../src/domain/models.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { type EnsureOptions, ensureFile } from '../../src/manager/ensure.ts';
import { createUploadSteps } from '../../src/manager/upload-steps.ts';
import { type Provider, type StoredObject, storedObjectOf } from '../../src/providers/provider.ts';
import { createInProcessUploads } from '../support/in-process-upload.ts';
import { createMemoryLedger } from '../support/memory-ledger.ts';
import { createMemoryProvider, type MemoryProvider } from '../support/memory-provider.ts';
import { scratchFolder } from '../support/stack.ts';

const scratch = scratchFolder('ensure');
afterAll(() => scratch.remove());
const signal = new AbortController().signal;
const HOUR = 3_600_000;

let ledger: Ledger;
let storage: MemoryProvider;
let vendor: Provider;
/** What the vendor holds, by its own ids. */
let held: Map<string, StoredObject & { marker: string }>;
/** How long the vendor keeps what is uploaded next, in ms. */
let keepsFor: number;
let upload: ReturnType<typeof createInProcessUploads>;

beforeEach(() => {
  ledger = createMemoryLedger();
  storage = createMemoryProvider({ name: 'storage', account: 'storage/a' });
  held = new Map();
  keepsFor = 48 * HOUR;
  vendor = {
    ...createMemoryProvider({ name: 'vendor', account: 'vendor/a' }),
    capabilities: {
      ...storageCapabilities(10_000),
      downloads: false,
      purposes: {
        documents: { maxFileBytes: 10_000, extensions: null, maxFiles: null, downloads: false, uses: ['storage', 'extract'] },
        images: { maxFileBytes: 10_000, extensions: null, maxFiles: null, downloads: false, uses: ['vision'] },
      },
    },
    idOf: () => null,
    async upload({ body, marker, purpose, sha256 }) {
      const expiresAt = new Date(Date.now() + keepsFor).toISOString();
      const stored = storedObjectOf({ id: `v-${randomUUID()}`, sizeBytes: body.sizeBytes, sha256, purpose, expiresAt });
      for await (const _ of body.open(0, signal));
      held.set(stored.id, { ...stored, marker });
      return stored;
    },
    info: async (id) => held.get(id) ?? null,
    find: async ({ marker }) => [...held.values()].find((one) => one.marker === marker) ?? null,
    delete: async (id) => held.delete(id),
    download: () => Promise.reject(new ValidationError('no', { code: 'not_downloadable', provider: 'vendor' })),
  };
  upload = createInProcessUploads(createUploadSteps({ ledger, provider, limits: { maxFileBytes: 100_000, allowedExtensions: null } }));
});
function provider(name: string): Provider {
  const found = [storage, vendor].find((one) => one.name === name);
  if (found === undefined) throw new ProviderNotFoundError('none', { code: 'provider_not_found' });
  return found;
}
const ensure = (file: FileRecord, options: Partial<EnsureOptions> = {}, at = 'vendor') =>
  ensureFile(file, at, { ledger, provider, upload }, { signal, ...options });
const nameless: Omit<NewReference, 'name' | 'purpose'> = { tool: 't', userId: null, context: null, tags: [], keep: 'keep' };
async function put(to: string, content: string, purpose = 'storage'): Promise<{ file: FileRecord; id: string }> {
  const path = join(scratch.path, `${randomUUID()}.txt`);
  writeFileSync(path, content);
  const result = await upload({
    ...{ idempotencyKey: randomUUID(), provider: to, namespace: 'live', verify: 'none', onDuplicate: 'reuse' },
    source: { kind: 'path', path, sizeBytes: content.length, modifiedMs: 0 },
    reference: { ...nameless, name: 'a.txt', purpose },
  });
  return { file: (await ledger.file(result.fileId)) as FileRecord, id: result.providerFileId };
}
const copyAt = async (file: FileRecord, at = 'vendor') => (await ledger.copies(file.id)).filter((copy) => copy.provider === at);

describe('making sure of an id', () => {
  test('that works gives it, and sends nothing', async () => {
    const { file, id } = await put('vendor', 'works');
    const object = held.get(id);
    expect(await ensure(file)).toMatchObject({ outcome: 'there', providerFileId: id, expiresAt: object?.expiresAt, replaced: null });
    expect(held.size).toBe(1);
  });

  test.each([
    ['has run out', () => (keepsFor = -HOUR), 'expired'],
    ['runs out within the margin', () => (keepsFor = HOUR / 2), 'expired'],
  ])('that %s uploads the file again from the copy that was kept, and takes the old object away', async (_, before) => {
    const kept = await put('storage', 'kept');
    before();
    const { file, id } = await put('vendor', 'kept');
    expect(file.id).toBe(kept.file.id);
    keepsFor = 48 * HOUR;
    const ensured = await ensure(file);
    expect(ensured).toMatchObject({ outcome: 'uploaded_again', replaced: id, purpose: 'documents' });
    expect(ensured.providerFileId).not.toBe(id);
    expect([...held.keys()]).toEqual([ensured.providerFileId]);
    expect(await copyAt(file)).toMatchObject([{ status: 'completed', providerFileId: ensured.providerFileId, lastErrorCode: null }]);
    expect(await ensure(file)).toMatchObject({ outcome: 'there', providerFileId: ensured.providerFileId });
  });

  test('that has run out is not what a second upload of the same bytes gets', async () => {
    keepsFor = -HOUR;
    const { id } = await put('vendor', 'twice');
    keepsFor = HOUR;
    expect((await put('vendor', 'twice')).id).not.toBe(id);
  });

  test('whose object is gone or has another size uploads the file again', async () => {
    await put('storage', 'gone');
    const { file, id } = await put('vendor', 'gone');
    held.delete(id);
    const again = await ensure(file);
    expect(again).toMatchObject({ outcome: 'uploaded_again', replaced: id });
    const damaged = held.get(again.providerFileId);
    if (damaged !== undefined) held.set(damaged.id, { ...damaged, sizeBytes: 1 });
    const whole = await ensure(file);
    expect(whole).toMatchObject({ outcome: 'uploaded_again', replaced: again.providerFileId });
    expect(held.get(whole.providerFileId)?.sizeBytes).toBe(4);
  });

  test('that nobody has made yet makes it, under the hold that there is, for what its holder said', async () => {
    const { file } = await put('storage', 'new', 'vision');
    expect(await ensure(file)).toMatchObject({ outcome: 'uploaded', purpose: 'images', replaced: null });
    expect(await ledger.references(file.id)).toMatchObject([{ tool: 't', name: 'a.txt', purpose: 'vision' }]);
    expect(await ensure(file, { purpose: 'extract' })).toMatchObject({ outcome: 'uploaded', purpose: 'documents' });
    expect(await copyAt(file)).toHaveLength(2);
    expect(await ledger.references(file.id)).toHaveLength(1);
  });

  test('at a storage whose object is gone puts it there again under the same id', async () => {
    const { file, id } = await put('storage', 'bytes');
    const other = createMemoryProvider({ name: 'vendor', account: 'vendor/a' });
    vendor = other;
    await put('vendor', 'bytes');
    storage.objects.clear();
    expect(await ensure(file, {}, 'storage')).toMatchObject({ outcome: 'uploaded_again', providerFileId: id });
    expect(storage.objects.get(id)?.bytes.toString()).toBe('bytes');
  });

  test('many times at once makes one upload', async () => {
    await put('storage', 'many');
    keepsFor = -HOUR;
    const { file } = await put('vendor', 'many');
    keepsFor = 48 * HOUR;
    const all = await Promise.all(Array.from({ length: 20 }, () => ensure(file)));
    expect(new Set(all.map(({ providerFileId }) => providerFileId)).size).toBe(1);
    expect(held.size).toBe(1);
    expect(await ledger.references(file.id)).toHaveLength(1);
  });

  test('by one who looked before another had made it anew does not make it once more', async () => {
    await put('storage', 'late');
    const { file, id } = await put('vendor', 'late');
    held.delete(id);
    const [entered, looks] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { info } = vendor;
    vendor.info = async () => {
      entered.resolve();
      await looks.promise;
      return null;
    };
    const late = ensure(file);
    await entered.promise;
    vendor.info = info;
    const first = await ensure(file);
    looks.resolve();
    expect(await late).toMatchObject({ outcome: 'there', providerFileId: first.providerFileId });
    expect(held.size).toBe(1);
  });

  test('of which no copy can be read says where copies were, and leaves the ledger as it was', async () => {
    const { file, id } = await put('vendor', 'lost');
    held.delete(id);
    await expect(ensure(file)).rejects.toMatchObject({
      code: 'original_not_available',
      message: expect.stringMatching(/a\.txt .*vendor \(expired, gone or damaged\).*upload FILE/s),
    });
    expect(await copyAt(file)).toMatchObject([{ status: 'completed', providerFileId: id }]);
  });

  test('that soon ends and cannot be made anew gives the one that still works', async () => {
    keepsFor = HOUR / 2;
    const { file, id } = await put('vendor', 'soon');
    expect(await ensure(file)).toMatchObject({ outcome: 'there', providerFileId: id, expiresAt: held.get(id)?.expiresAt });
    expect(await ensure(file, { marginMs: 0 })).toMatchObject({ outcome: 'there', providerFileId: id });
  });

  test('that soon ends is not taken away where the kept copy is lost or cannot be asked for', async () => {
    const kept = await put('storage', 'fragile');
    keepsFor = HOUR / 2;
    const { file, id } = await put('vendor', 'fragile');
    storage.failNext('info', new ProviderUnavailableError('away', { code: 'unavailable', provider: 'storage', retryable: true }));
    expect(await ensure(file)).toMatchObject({ outcome: 'there', providerFileId: id });
    storage.objects.delete(kept.id);
    expect(await ensure(file)).toMatchObject({ outcome: 'there', providerFileId: id });
    expect([...held.keys()]).toEqual([id]);
    expect(await copyAt(file)).toMatchObject([{ status: 'completed', providerFileId: id }]);
  });

  test('is read from the copy that is there, and an outage of the only one is told as such', async () => {
    const kept = await put('storage', 'away');
    const { file, id } = await put('vendor', 'away');
    held.delete(id);
    storage.failNext('info', new ProviderUnavailableError('away', { code: 'unavailable', provider: 'storage', retryable: true }));
    await expect(ensure(file)).rejects.toMatchObject({ code: 'unavailable', retryable: true });
    storage.objects.delete(kept.id);
    await expect(ensure(file)).rejects.toMatchObject({
      code: 'original_not_available',
      message: expect.stringContaining('storage (expired, gone or damaged)'),
    });
    expect(await copyAt(file)).toMatchObject([{ status: 'completed', providerFileId: id }]);
  });

  test('for longer than the provider keeps any file is refused, and nothing is replaced', async () => {
    await put('storage', 'long');
    const { file, id } = await put('vendor', 'long');
    vendor = { ...vendor, capabilities: { ...vendor.capabilities, expiresAfterSeconds: 48 * 3600 } };
    await expect(ensure(file, { marginMs: 48 * HOUR })).rejects.toMatchObject({ code: 'margin_too_long', provider: 'vendor' });
    expect([...held.keys()]).toEqual([id]);
  });

  test('for a purpose that the provider does not know, or at one that is not there, is refused', async () => {
    const { file } = await put('storage', 'refused');
    await expect(ensure(file, { purpose: 'poetry' })).rejects.toMatchObject({ code: 'purpose_unknown' });
    await expect(ensure(file, {}, 'nowhere')).rejects.toMatchObject({ code: 'provider_not_found' });
  });
});
