import { createHash, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { storageCapabilities } from '../../src/domain/capabilities.ts';
import { countVerdict, estimate, measuredSpeed, quotaPassed, startPreflight, toSend, type Verdict } from '../../src/domain/preflight.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { planMigration } from '../../src/manager/plan.ts';
import { heldAt, preflightMigration } from '../../src/manager/preflight.ts';
import { createUploadSteps } from '../../src/manager/upload-steps.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { providerSource } from '../../src/sources/provider-source.ts';
import { createMemoryLedger } from '../support/memory-ledger.ts';
import { createMemoryProvider, type MemoryProvider } from '../support/memory-provider.ts';

const signal = new AbortController().signal;
const LIMITS = { maxFileBytes: 1000, allowedExtensions: null };

let ledger: Ledger;
let source: MemoryProvider;
let target: Provider;
let reads: string[];
beforeEach(() => {
  ledger = createMemoryLedger();
  source = createMemoryProvider({ name: 'source', account: 'source/a' });
  reads = [];
  const { download } = source;
  source.download = (id, options) => {
    reads.push(id);
    return download(id, options);
  };
  const limits = { maxFileBytes: 100, extensions: ['pdf'], maxFiles: 2, downloads: false, uses: ['storage' as const] };
  target = {
    ...createMemoryProvider({ name: 'target', account: 'target/a' }),
    capabilities: { ...storageCapabilities(500), minFileBytes: 1, downloads: false, purposes: { documents: limits } },
  };
});
const provider = (name: string): Provider => (name === 'source' ? source : target);
const put = (id: string, content: string) =>
  source.objects.set(`memory/${id}`, { bytes: Buffer.from(content), mimeType: 'application/pdf', createdAt: '' });
/** A copy on record of this content, at this object. */
async function record(at: Provider, id: string, content: string, purpose = 'documents'): Promise<void> {
  const sha256 = createHash('sha256').update(content).digest('hex');
  const claim = await ledger.claim({
    ...{ provider: at.name, account: at.account, purpose, namespace: 'live', originalName: 'x' },
    ...{ owner: 'o', idempotencyKey: randomUUID(), leaseSeconds: 60 },
    content: { sha256, sizeBytes: content.length, mimeType: 'application/pdf' },
  });
  await ledger.complete(claim.copyId, 'o', id);
}
const listing = () => providerSource(source, null);

describe('a look before a migration', () => {
  test('tells by names, sizes and the ledger what will be sent, what is there and what will not fit, and reads nothing', async () => {
    put('fits.pdf', 'fits');
    put('there.pdf', 'known');
    put('long.pdf', 'x'.repeat(101));
    put('too-long.pdf', 'x'.repeat(2000));
    put('empty.pdf', '');
    for (const name of ['a.exe', 'b.exe', 'c.exe', 'd.exe']) put(name, 'x');
    await record(source, 'memory/there.pdf', 'known', 'storage');
    await record(target, 'there', 'known');
    const found = await preflightMigration(listing(), 'target', { ledger, provider, limits: LIMITS }, signal);
    expect(found).toMatchObject({
      listed: { files: 9 },
      sends: { documents: { files: 1, bytes: 4 } },
      there: { files: 1, bytes: 5 },
    });
    const refused = new Map(found.refused.map((group) => [group.code, group]));
    expect(refused.get('file_too_large')).toMatchObject({ files: 2, bytes: 2101, names: ['memory/long.pdf', 'memory/too-long.pdf'] });
    expect(refused.get('file_empty')).toMatchObject({ files: 1, why: expect.stringContaining('does not take an empty file') });
    expect(refused.get('extension_not_supported')).toMatchObject({ files: 4, names: ['memory/a.exe', 'memory/b.exe', 'memory/c.exe'] });
    expect(reads).toEqual([]);
  });

  test('says which files are not given back, unless the ledger knows another copy of them', async () => {
    source = { ...source, capabilities: { ...source.capabilities, downloads: false } };
    put('lost.pdf', 'lost');
    put('known.pdf', 'known');
    put('only-here.pdf', 'only here');
    const third = createMemoryProvider({ name: 'third', account: 'third/a' });
    await record(source, 'memory/known.pdf', 'known', 'storage');
    await record(source, 'memory/only-here.pdf', 'only here', 'storage');
    await record(third, 'memory/elsewhere', 'known', 'storage');
    const all = (name: string) => (name === 'third' ? third : provider(name));
    const found = await preflightMigration(listing(), 'target', { ledger, provider: all, limits: LIMITS }, signal);
    expect(toSend(found)).toEqual({ files: 1, bytes: 5 });
    expect(found.refused).toMatchObject([{ code: 'original_not_available', files: 2, names: ['memory/lost.pdf', 'memory/only-here.pdf'] }]);
  });

  test('counts what the account holds at the provider itself, by purpose', async () => {
    put('a', 'x');
    put('b', 'yy');
    expect(await heldAt(source, signal)).toBeNull();
    const limited = { ...source, capabilities: { ...source.capabilities, quota: { files: 3, bytes: null } } };
    expect(await heldAt(limited, signal)).toEqual({ '': { files: 2, bytes: 3 } });
  });
});

describe('a dry run from a provider', () => {
  test('downloads only what the ledger does not know, and uploads nothing', async () => {
    put('known.pdf', 'known');
    put('there.pdf', 'there');
    put('new.pdf', 'new');
    put('again.pdf', 'new');
    for (const content of ['known', 'there']) await record(source, `memory/${content}.pdf`, content, 'storage');
    await record(target, 'there', 'there');
    const steps = createUploadSteps({ ledger, provider, limits: LIMITS });
    const items = new Map<string, string>();
    for await (const page of planMigration(listing(), 'target', { ledger, provider, steps }, signal))
      for (const { path, status, sourceProvider, sourceId } of page) {
        items.set(path, status);
        expect([sourceProvider, sourceId]).toEqual(['source', path]);
      }
    expect(Object.fromEntries(items)).toMatchObject({ 'memory/known.pdf': 'uploaded', 'memory/there.pdf': 'deduplicated' });
    expect([items.get('memory/new.pdf'), items.get('memory/again.pdf')].sort()).toEqual(['deduplicated', 'uploaded']);
    expect(reads.sort()).toEqual(['memory/again.pdf', 'memory/new.pdf']);
  });

  test('knows already which files are not given back', async () => {
    source = { ...source, capabilities: { ...source.capabilities, downloads: false } };
    put('only-here.pdf', 'only here');
    await record(source, 'memory/only-here.pdf', 'only here', 'storage');
    const steps = createUploadSteps({ ledger, provider, limits: LIMITS });
    for await (const page of planMigration(listing(), 'target', { ledger, provider, steps }, signal))
      expect(page).toMatchObject([{ status: 'failed', errorCode: 'original_not_available' }]);
    expect.assertions(1);
  });
});

describe('the count of a preflight', () => {
  test('has every file exactly once', () => {
    const verdict = fc.constantFrom<Verdict>(
      { outcome: 'fits', purpose: 'a' },
      { outcome: 'fits', purpose: 'b' },
      { outcome: 'there' },
      { outcome: 'skipped' },
      { outcome: 'refused', code: 'x', why: 'x' },
      { outcome: 'refused', code: 'y', why: 'y' },
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(verdict, fc.nat(1000))), (files) => {
        const found = startPreflight();
        for (const [one, sizeBytes] of files) countVerdict(found, { path: 'p', sizeBytes }, one);
        const parts = [toSend(found), found.there, { files: found.skipped, bytes: 0 }, ...found.refused];
        expect(parts.reduce((sum, part) => sum + part.files, 0)).toBe(files.length);
        expect(found.listed).toEqual({ files: files.length, bytes: files.reduce((sum, [, size]) => sum + size, 0) });
      }),
    );
  });

  test('names each limit of the account that would be passed, of the whole and of a purpose', () => {
    const limits = { maxFileBytes: 9, extensions: null, downloads: false, uses: [] };
    const capabilities = {
      quota: { files: 10, bytes: 1000 },
      purposes: { a: { ...limits, maxFiles: 5 }, b: { ...limits, maxFiles: null } },
    };
    const sends = { a: { files: 3, bytes: 30 }, b: { files: 4, bytes: 40 } };
    const used = { a: { files: 2, bytes: 20 }, b: { files: 1, bytes: 10 } };
    expect(quotaPassed(capabilities, used, { sends })).toEqual([]);
    expect(quotaPassed(capabilities, { ...used, a: { files: 3, bytes: 921 } }, { sends })).toEqual([
      { kind: 'files', purpose: null, limit: 10, used: 4, adding: 7 },
      { kind: 'bytes', purpose: null, limit: 1000, used: 931, adding: 70 },
      { kind: 'files', purpose: 'a', limit: 5, used: 3, adding: 3 },
    ]);
  });
});

describe('the time of a migration', () => {
  const measured = { filesPerSecond: 50, bytesPerSecond: 1000 };
  test('is the longer of the files at their rate and the bytes at theirs', () => {
    const pace = { uploadsPerSecond: 5, measured, minBytesPerSecond: 100 };
    expect(estimate({ files: 100, bytes: 1000 }, pace)).toEqual({ ms: 20_000, atLeastMs: 20_000, bytesAtMostMs: 10_000 });
    expect(estimate({ files: 1, bytes: 60_000 }, pace).ms).toBe(60_000);
    expect(estimate({ files: 100, bytes: 0 }, { ...pace, uploadsPerSecond: null })).toMatchObject({ ms: 2_000, atLeastMs: null });
  });
  test('is unknown where nothing was measured, with bounds', () => {
    expect(estimate({ files: 10, bytes: 1000 }, { uploadsPerSecond: 5, measured: null, minBytesPerSecond: 100 })).toEqual({
      ...{ ms: null, atLeastMs: 2_000, bytesAtMostMs: 10_000 },
    });
  });
  test('is measured by the best of the earlier ones that have sent something', () => {
    const run = (uploaded: number, uploadedBytes: number, ms: number) => ({
      totals: { uploaded, uploadedBytes },
      startedAtMs: 0,
      updatedAtMs: ms,
    });
    expect(measuredSpeed([run(0, 0, 1000)])).toBeNull();
    expect(measuredSpeed([run(10, 5000, 1000), run(2, 40_000, 2000), run(0, 0, 1)])).toEqual({
      filesPerSecond: 10,
      bytesPerSecond: 20_000,
    });
  });
});
