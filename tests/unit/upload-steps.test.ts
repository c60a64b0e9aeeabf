import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { type Capabilities, type PurposeLimits, storageCapabilities } from '../../src/domain/capabilities.ts';
import { FileNotFoundError, ProviderNotFoundError, UploadError, ValidationError } from '../../src/domain/errors.ts';
import type { FileSource, NewReference, ObjectSource, PathSource } from '../../src/domain/models.ts';
import { type Claimed, uploadFile } from '../../src/domain/upload-file.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { fileNameOf } from '../../src/manager/file-name.ts';
import type { HashCache } from '../../src/manager/hash-cache.ts';
import { createUploadSteps, type Surplus, type UploadTarget } from '../../src/manager/upload-steps.ts';
import { type Provider, storedObjectOf } from '../../src/providers/provider.ts';
import { hashFile } from '../../src/sources/local-file.ts';
import { createMemoryLedger } from '../support/memory-ledger.ts';
import { createMemoryProvider, type MemoryProvider } from '../support/memory-provider.ts';
import { asOrdinaryUser } from '../support/ordinary-user.ts';
import { scratchFolder } from '../support/stack.ts';

const scratch = scratchFolder('upload-steps');
afterAll(() => scratch.remove());
const context = { signal: new AbortController().signal };

const documents: PurposeLimits = {
  ...{ maxFileBytes: 1000, extensions: ['pdf', 'txt'], maxFiles: null, downloads: false },
  uses: ['storage', 'extract'],
};
const requests: PurposeLimits = { ...documents, extensions: ['jsonl'], uses: ['batch'] };
const VENDOR: Capabilities = {
  ...storageCapabilities(10_000),
  ...{ minFileBytes: 1, downloads: false, purposes: { documents, requests } },
};

let ledger: Ledger;
let storage: MemoryProvider;
let other: MemoryProvider;
let vendorObjects: MemoryProvider;
let vendor: Provider;
let surplus: Surplus[];
const notDownloadable = () => new ValidationError('no', { code: 'not_downloadable', provider: 'vendor' });

beforeEach(() => {
  ledger = createMemoryLedger();
  storage = createMemoryProvider({ name: 'storage', account: 'storage/a' });
  other = createMemoryProvider({ name: 'other', account: 'other/a' });
  vendorObjects = createMemoryProvider({ name: 'vendor', account: 'vendor/a' });
  vendor = { ...vendorObjects, capabilities: VENDOR, idOf: () => null, download: () => Promise.reject(notDownloadable()) };
  surplus = [];
});
function provider(name: string): Provider {
  const found = [storage, other, vendor].find((one) => one.name === name);
  if (found === undefined) throw new ProviderNotFoundError('none', { code: 'provider_not_found' });
  return found;
}
const stepsOf = (limits: { allowedExtensions?: readonly string[] } = {}, hashes: HashCache = { hash: hashFile, forget() {} }) =>
  createUploadSteps({
    hashes,
    ledger,
    provider,
    limits: { maxFileBytes: 100_000, allowedExtensions: null, ...limits },
    onSurplus: (one) => surplus.push(one),
  });

/** A whole upload, as a worker does it. */
async function upload(
  source: FileSource,
  to: string,
  given: { name?: string; purpose?: string; verify?: 'stored' | 'download'; steps?: ReturnType<typeof stepsOf> } = {},
) {
  const { name = source.kind === 'path' ? source.path : source.name, purpose = 'storage', verify = 'none', steps = stepsOf() } = given;
  const reference: NewReference = { name, purpose, tool: 't', userId: null, context: null, tags: [], keep: 'keep' };
  const target: UploadTarget = {
    ...{ provider: to, namespace: 'live', reference, fileName: fileNameOf(source, name) },
    ...{ owner: 'me', idempotencyKey: randomUUID(), leaseSeconds: 60, onDuplicate: 'reuse' },
  };
  return await uploadFile(
    {
      hash: () => steps.hash(source, { provider: to, name: target.fileName, purpose, verify }, context),
      claim: async (content) => (await steps.claim(content, target)) as Claimed,
      store: (content, claim) => steps.store(source, content, claim, target, context),
      record: (claim, stored) => steps.record(claim, stored, target),
      verify: async (content, claim, id) => {
        if (verify !== 'none') await steps.verify(content, claim, id, verify, target, context);
      },
      giveUp: (claim, code) => steps.giveUp(claim, target, code),
    },
    { provider: to, verify },
  );
}
function file(name: string, content: string | Uint8Array): PathSource {
  const path = join(scratch.path, randomUUID(), name);
  mkdirSync(join(path, '..'));
  writeFileSync(path, content);
  return { kind: 'path', path, sizeBytes: content.length, modifiedMs: 0 };
}
/** An object that an application has put there itself. */
async function foreign(
  at: MemoryProvider,
  id: string,
  content: string | Uint8Array,
  mimeType: string | null = null,
): Promise<ObjectSource> {
  at.objects.set(id, {
    bytes: Buffer.from(content),
    mimeType: mimeType ?? 'application/octet-stream',
    createdAt: new Date().toISOString(),
  });
  return { kind: 'object', provider: at.name, id, sizeBytes: content.length, name: id.split('/').at(-1) ?? id, mimeType };
}
const objectOf = (result: { provider: string; providerFileId: string; sizeBytes: number }, name: string): ObjectSource => ({
  ...{ kind: 'object', provider: result.provider, id: result.providerFileId, sizeBytes: result.sizeBytes, name, mimeType: null },
});
/** Counts what is read of a provider. */
function counting(of: MemoryProvider): { ranges: (number | null)[] } {
  const ranges: (number | null)[] = [];
  const download = of.download.bind(of);
  of.download = (id, options) => {
    ranges.push(options.range?.first ?? null);
    return download(id, options);
  };
  return { ranges };
}
async function uploading(): Promise<number> {
  let left = 0;
  for (const { id } of await ledger.list({ after: null, limit: 100 }))
    left += (await ledger.copies(id)).filter(({ status }) => status === 'uploading' || status === 'pending').length;
  return left;
}

describe('a file at a provider', () => {
  test('that nobody knows is read once for its hash and once to be sent, and arrives as it was', async () => {
    const source = await foreign(storage, 'app/ä/a file.txt', 'x'.repeat(5_000));
    const reads = counting(storage);
    const result = await upload(source, 'other');
    expect(result).toMatchObject({ outcome: 'uploaded', sizeBytes: 5_000, mimeType: 'text/plain' });
    expect(reads.ranges).toEqual([null, null]);
    expect(other.objects.get(result.providerFileId)?.bytes.toString()).toBe('x'.repeat(5_000));
  });

  test('that the ledger knows is not read for its hash, and not at all where its content is there already', async () => {
    const first = await upload(file('a.txt', 'known'), 'storage');
    const reads = counting(storage);
    const source = objectOf(first, 'a.txt');
    expect(await upload(source, 'other')).toMatchObject({ outcome: 'uploaded', sha256: first.sha256 });
    expect(reads.ranges).toHaveLength(1);
    expect(await upload(source, 'other')).toMatchObject({ outcome: 'deduplicated' });
    expect(reads.ranges).toHaveLength(1);
  });

  test('that has another size than the ledger knows is read again', async () => {
    const first = await upload(file('a.txt', 'known'), 'storage');
    await foreign(storage, first.providerFileId, 'replaced');
    expect(await upload({ ...objectOf(first, 'a.txt'), sizeBytes: 8 }, 'other')).toMatchObject({ sizeBytes: 8 });
  });

  test('that its provider does not give back is read from another copy of the same content', async () => {
    const kept = await upload(file('a.pdf', 'kept elsewhere'), 'storage');
    const there = await upload(file('b.pdf', 'kept elsewhere'), 'vendor');
    const result = await upload(objectOf(there, 'b.pdf'), 'other');
    expect(result).toMatchObject({ outcome: 'uploaded', sha256: kept.sha256 });
    expect(other.objects.get(result.providerFileId)?.bytes.toString()).toBe('kept elsewhere');
  });

  test('that vanishes while it is read is gone on with from another copy, and no byte comes twice', async () => {
    const content = 'abcdefghij'.repeat(20_000);
    const kept = await upload(file('a.txt', content.slice(0, 90_000)), 'storage');
    const source = await foreign(other, 'app/vanishing', content.slice(0, 90_000));
    other.download = async () => ({
      sizeBytes: 90_000,
      mimeType: null,
      chunks: (async function* () {
        yield Buffer.from(content.slice(0, 50_005));
        throw new FileNotFoundError('gone', { code: 'not_found' });
      })(),
    });
    const { createFileBytes } = await import('../../src/manager/file-bytes.ts');
    const { sha256, sizeBytes } = kept;
    const chunks: Uint8Array[] = [];
    for await (const chunk of createFileBytes({ ledger, provider }).body(source, { sha256, sizeBytes }).open(0, context.signal))
      chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toBe(content.slice(0, 90_000));
  });

  test('that its provider does not give back and that nobody else has is an error that says so, and no claim is left', async () => {
    const unknown = await foreign(vendorObjects, 'memory/unknown.pdf', 'unknown');
    await expect(upload(unknown, 'other')).rejects.toMatchObject({
      code: 'original_not_available',
      provider: 'vendor',
      message: expect.stringMatching(/vendor does not give the original of unknown\.pdf \(memory\/unknown\.pdf\) back.*no other copy/s),
    });
    const there = await upload(file('b.pdf', 'only there'), 'vendor');
    await expect(upload(objectOf(there, 'b.pdf'), 'other')).rejects.toMatchObject({ code: 'original_not_available' });
    expect(await uploading()).toBe(0);
  });

  test('that vanished is named', async () => {
    const source = await foreign(storage, 'app/gone', 'x');
    storage.objects.delete('app/gone');
    await expect(upload(source, 'other')).rejects.toMatchObject({ code: 'not_found', message: expect.stringContaining('app/gone') });
  });

  test('is gone on with by a range, and from the start where there are none', async () => {
    const source = await foreign(storage, 'app/long', 'abcdefghij'.repeat(20_000));
    source.sizeBytes = 200_000;
    const { createFileBytes } = await import('../../src/manager/file-bytes.ts');
    const read = async (from: Provider) => {
      const bytes = createFileBytes({ ledger, provider: () => from });
      const chunks: Uint8Array[] = [];
      for await (const chunk of bytes.body(source, { sha256: '', sizeBytes: 200_000 }).open(150_005, context.signal)) chunks.push(chunk);
      return Buffer.concat(chunks).toString();
    };
    const reads = counting(storage);
    const rest = 'abcdefghij'.repeat(20_000).slice(150_005);
    expect(await read(storage)).toBe(rest);
    expect(await read({ ...storage, capabilities: { ...storage.capabilities, ranges: false } })).toBe(rest);
    expect(reads.ranges).toEqual([150_005, null]);
  });

  test('that changes after it was hashed is hashed again, and what is there then is sent', async () => {
    const source = await foreign(storage, 'app/changing', 'before');
    const steps = stepsOf();
    const { hash } = steps;
    let hashed = 0;
    steps.hash = async (...args) => {
      const content = await hash(...args);
      hashed += 1;
      if (hashed === 1) await foreign(storage, 'app/changing', 'after it');
      return content;
    };
    const result = await upload(source, 'other', { steps });
    expect([hashed, other.objects.get(result.providerFileId)?.bytes.toString()]).toEqual([2, 'after it']);
  });

  test('that changes each time is refused in the end, and no claim is left', async () => {
    const source = await foreign(storage, 'app/changing', '0');
    const steps = stepsOf();
    const { hash } = steps;
    let hashed = 0;
    steps.hash = async (...args) => {
      const content = await hash(...args);
      hashed += 1;
      await foreign(storage, 'app/changing', 'x'.repeat(hashed + 1));
      return content;
    };
    await expect(upload(source, 'other', { steps })).rejects.toMatchObject({ code: 'file_changed' });
    expect([hashed, await uploading()]).toEqual([3, 0]);
  });
});

describe('what cannot be right', () => {
  const refused: [string, string, () => Promise<[FileSource, string, Parameters<typeof upload>[2]?]>][] = [
    ['a file that is gone', 'file_vanished', async () => [{ ...file('a', 'x'), path: join(scratch.path, 'nowhere') }, 'storage']],
    ['a folder instead of a file', 'is_a_folder', async () => [{ ...file('a', 'x'), path: scratch.path }, 'storage']],
    ['an empty file where none is taken', 'file_empty', async () => [file('empty.pdf', ''), 'vendor']],
    ['a file that is too large for the purpose', 'file_too_large', async () => [file('long.pdf', 'x'.repeat(1001)), 'vendor']],
    ['a file above our own limit', 'file_too_large', async () => [file('long.bin', 'x'.repeat(100_001)), 'storage']],
    ['an extension that the purpose does not take', 'extension_not_supported', async () => [file('a.exe', 'x'), 'vendor']],
    ['an extension of another purpose', 'extension_not_supported', async () => [file('a.pdf', 'x'), 'vendor', { purpose: 'requests' }]],
    ['a purpose that nobody knows', 'purpose_unknown', async () => [file('a.pdf', 'x'), 'vendor', { purpose: 'party' }]],
    ['reading back what is not given back', 'not_downloadable', async () => [file('a.pdf', 'x'), 'vendor', { verify: 'download' }]],
    [
      'an extension that we do not allow',
      'extension_not_allowed',
      async () => [file('a.exe', 'x'), 'storage', { steps: stepsOf({ allowedExtensions: ['pdf'] }) }],
    ],
    ['an unknown provider', 'provider_not_found', async () => [file('a', 'x'), 'nowhere']],
  ];
  test.each(refused)('%s is refused as %s before anything is claimed or sent', async (_, code, given) => {
    await expect(upload(...(await given()))).rejects.toMatchObject({ code });
    expect([storage.counts.uploads, vendorObjects.counts.uploads, (await ledger.list({ after: null, limit: 10 })).length]).toEqual([
      0, 0, 0,
    ]);
  });

  test('a file that may not be read is refused as file_unreadable', async () => {
    const source = file('secret', 'x');
    chmodSync(scratch.path, 0o755);
    chmodSync(source.path, 0o000);
    await asOrdinaryUser(() => expect(upload(source, 'storage')).rejects.toMatchObject({ code: 'file_unreadable' }));
  });

  test('what the provider refuses after the claim leaves no claim behind', async () => {
    storage.failNext('upload', new ValidationError('full', { code: 'quota_exceeded' }));
    await expect(upload(file('a', 'x'), 'storage')).rejects.toMatchObject({ code: 'quota_exceeded' });
    const known = await ledger.filesByName('a', 10);
    expect(known).toHaveLength(0);
    expect(await uploading()).toBe(0);
  });
});

describe('an upload to a vendor', () => {
  test('goes under the first purpose that serves the use and takes the file, and the reference keeps the word', async () => {
    const { fileId } = await upload(file('a.pdf', 'x'), 'vendor', { purpose: 'extract' });
    expect(await ledger.copies(fileId)).toMatchObject([{ purpose: 'documents', status: 'completed' }]);
    expect(await ledger.references(fileId)).toMatchObject([{ purpose: 'extract' }]);
  });

  test("of a name without an extension goes under the file's own", async () => {
    const { fileId } = await upload(file('a.pdf', 'y'), 'vendor', { name: 'Annual report' });
    expect(await ledger.references(fileId)).toMatchObject([{ name: 'Annual report' }]);
    expect(fileNameOf({ kind: 'object', provider: 'p', id: 'f', sizeBytes: 1, name: 'f', mimeType: 'application/pdf' }, 'x')).toBe('x.pdf');
  });

  test('is allowed by what its caller calls it, whatever the place where it was laid for us', async () => {
    const steps = stepsOf({ allowedExtensions: ['pdf'] });
    const { fileId } = await upload(file('3f2a', 'staged'), 'storage', { name: 'report.pdf', steps });
    expect(await ledger.references(fileId)).toMatchObject([{ name: 'report.pdf' }]);
  });

  test('tells the ledger when the vendor will drop the file', async () => {
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const { upload: send } = vendor;
    vendor.upload = async (request) => ({ ...(await send(request)), expiresAt });
    const { fileId } = await upload(file('a.pdf', 'expires'), 'vendor');
    expect(Date.parse((await ledger.copies(fileId))[0]?.expiresAt ?? '')).toBe(Date.parse(expiresAt));
  });

  test('whose copy turned out to be damaged deletes that one before it sends another', async () => {
    const first = await upload(file('a.pdf', 'precious'), 'vendor');
    vendorObjects.objects.set(first.providerFileId, { bytes: Buffer.from('precXous'), mimeType: 'x/y', createdAt: '' });
    const { info } = vendor;
    vendor.info = async (id, signal) => {
      const found = await info(id, signal);
      const { createHash } = await import('node:crypto');
      const bytes = vendorObjects.objects.get(id)?.bytes;
      return found === null || bytes === undefined ? null : { ...found, sha256: createHash('sha256').update(bytes).digest('hex') };
    };
    const deleted: string[] = [];
    const { delete: remove } = vendor;
    vendor.delete = async (id, signal) => {
      deleted.push(id);
      return await remove(id, signal);
    };
    const again = await upload(file('b.pdf', 'precious'), 'vendor', { verify: 'stored' });
    expect(again).toMatchObject({ outcome: 'uploaded', fileId: first.fileId, verified: 'stored' });
    expect(deleted).toEqual([first.providerFileId]);
    expect(vendorObjects.objects.get(again.providerFileId)?.bytes.toString()).toBe('precious');
  });

  test('that finds its copy replaced while it verifies leaves the one that stands there now alone', async () => {
    const objects = new Set<string>();
    vendor.info = async (id) => (objects.has(id) ? storedObjectOf({ id, sizeBytes: 8 }) : null);
    vendor.upload = async () => {
      const id = `made-${objects.size}`;
      objects.add(id);
      return storedObjectOf({ id, sizeBytes: 8 });
    };
    const first = await upload(file('a.pdf', 'precious'), 'vendor');
    const { info } = vendor;
    vendor.info = async (id, signal) => {
      vendor.info = info;
      // Another made sure of the file just now: its object had gone, and there is a new one.
      objects.delete(id);
      const [copy] = await ledger.copies(first.fileId);
      await ledger.invalidate(copy?.id ?? '', 'gone');
      await upload(file('b.pdf', 'precious'), 'vendor');
      return await info(id, signal);
    };
    objects.add('kept');
    vendor.find = async () => null;
    const again = await upload(file('c.pdf', 'precious'), 'vendor', { verify: 'stored' });
    expect(again).toMatchObject({ outcome: 'deduplicated', verified: 'stored' });
    expect(await ledger.copies(first.fileId)).toMatchObject([{ status: 'completed', providerFileId: again.providerFileId, attempts: 2 }]);
  });

  test('that was recorded by somebody else meanwhile answers with the object that counts, and deletes its own', async () => {
    const deleted: string[] = [];
    vendor.upload = async ({ body, marker }) => {
      // Our lease has run out and another has sent the same content.
      await ledger.complete(marker, 'me', 'theirs');
      return storedObjectOf({ id: 'ours', sizeBytes: body.sizeBytes });
    };
    vendor.delete = async (id) => {
      deleted.push(id);
      if (deleted.length === 2) throw new UploadError('away', { code: 'unreachable' });
      return true;
    };
    expect(await upload(file('a.pdf', 'twice'), 'vendor')).toMatchObject({ providerFileId: 'theirs' });
    expect(await upload(file('a.pdf', 'twice again'), 'vendor')).toMatchObject({ providerFileId: 'theirs' });
    expect(deleted).toEqual(['ours', 'ours']);
    expect(surplus).toMatchObject([
      { provider: 'vendor', id: 'ours', error: null },
      { provider: 'vendor', id: 'ours', error: { code: 'unreachable' } },
    ]);
  });
});

test('A file that is not what its remembered hash says is forgotten, read and sent as it is', async () => {
  const source = file('a.txt', 'as it is');
  const remembered = new Map([[source.path, { sha256: '0'.repeat(64), sizeBytes: source.sizeBytes }]]);
  const hashes: HashCache = {
    hash: async (asked, options) => remembered.get(asked.path) ?? (await hashFile(asked, options)),
    forget: (path) => remembered.delete(path),
  };
  const result = await upload(source, 'storage', { steps: stepsOf({}, hashes) });
  expect(storage.objects.get(result.providerFileId)?.bytes.toString()).toBe('as it is');
});
