import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { type Capabilities, type PurposeLimits, storageCapabilities, USES } from '../../src/domain/capabilities.ts';
import { ProviderUnavailableError, UploadError, ValidationError } from '../../src/domain/errors.ts';
import { type Candidate, COSTLY_BYTES, INLINE_USES, rankProviders } from '../../src/domain/handling.ts';
import type { FileOperationResult, PathSource } from '../../src/domain/models.ts';
import { decodeText } from '../../src/domain/text-encoding.ts';
import { handleFile, type SmartHandlerDependencies, uploadToBest } from '../../src/manager/smart-handler.ts';
import { scratchFolder } from '../support/stack.ts';

const scratch = scratchFolder('handling');
afterAll(() => scratch.remove());
const signal = new AbortController().signal;

const GB = 1024 ** 3;
const documents: PurposeLimits = {
  ...{ maxFileBytes: GB, extensions: ['pdf', 'txt'], maxFiles: 2, downloads: false },
  uses: ['storage', 'extract'],
};
const vendor: Capabilities = { ...storageCapabilities(GB), downloads: false, resumes: false, purposes: { documents } };
const candidate = (provider: string, capabilities: Partial<Capabilities> = {}, over: Partial<Candidate> = {}): Candidate => ({
  ...{ provider, circuit: 'closed', held: null, ...over },
  capabilities: { ...storageCapabilities(GB), ...capabilities },
});
const rank = (candidates: readonly Candidate[], use = 'storage', sizeBytes = 1000, preferred: readonly string[] | null = null) =>
  rankProviders({ name: 'a.pdf', sizeBytes }, use, candidates, preferred);
const order = (...args: Parameters<typeof rank>) => rank(...args).routes.map(({ provider }) => provider);

describe('which provider takes a file', () => {
  test('is decided by what it is for: a storage does not extract, and a vendor that does is named with its own purpose', () => {
    const { routes, refused } = rank([candidate('s3'), candidate('vendor', vendor)], 'extract');
    expect(routes).toMatchObject([
      { provider: 'vendor', purpose: 'documents', why: expect.stringContaining('for extract (its purpose documents)') },
    ]);
    expect(refused).toMatchObject([{ provider: 's3', purpose: null, taken: false, why: expect.stringContaining('not for extract') }]);
  });
  test('for storage is one that gives files back, and never one that drops them by itself', () => {
    const drops = candidate('gemini', { purposes: null, uses: ['storage'], expiresAfterSeconds: 48 * 3600 });
    const { routes, refused } = rank([drops, candidate('a-vendor', vendor), candidate('s3')]);
    expect(routes.map(({ provider }) => provider)).toEqual(['s3', 'a-vendor']);
    expect(refused).toMatchObject([{ provider: 'gemini', why: expect.stringContaining('48 hours') }]);
  });
  test('for a word that nobody knows is a storage', () =>
    expect(order([candidate('vendor', vendor), candidate('s3')], 'my own label')).toEqual(['s3']));
  test('is not one whose limits, extensions or account the file passes', () => {
    const { routes, refused } = rank(
      [
        candidate('small', { maxFileBytes: 10 }),
        candidate('images', { purposes: { documents: { ...documents, extensions: ['png'] } } }),
        candidate('full', vendor, { held: { files: 2, bytes: 0, byPurpose: { documents: 2 } } }),
      ],
      'storage',
    );
    expect(routes).toEqual([]);
    expect(refused.map(({ provider, why }) => [provider, why])).toEqual([
      ['full', expect.stringContaining('at most 2')],
      ['images', expect.stringContaining('.pdf')],
      ['small', expect.stringContaining('10 bytes')],
    ]);
  });
  test('is the last one where it is left alone after outages, whatever is preferred', () => {
    const all = [candidate('a', {}, { circuit: 'open' }), candidate('b', {}, { circuit: 'half_open' }), candidate('c')];
    expect(order(all, 'storage', 1000, ['a', 'b', 'c'])).toEqual(['c', 'b', 'a']);
  });
  test('is, above 64 MiB, rather one that goes on with a broken transfer; below it, the preferred one', () => {
    const all = [candidate('again', { resumes: false }), candidate('resumes')];
    expect(order(all, 'storage', COSTLY_BYTES + 1, ['again', 'resumes'])).toEqual(['resumes', 'again']);
    expect(order(all, 'storage', COSTLY_BYTES, ['again', 'resumes'])).toEqual(['again', 'resumes']);
  });
  test('is one of the preferred ones alone, and those that are not configured are named', () => {
    const { routes, refused } = rank([candidate('a'), candidate('b')], 'storage', 1000, ['b', 'typo']);
    expect(routes.map(({ provider }) => provider)).toEqual(['b']);
    expect(refused).toEqual([{ provider: 'typo', purpose: null, taken: false, why: 'it is not configured' }]);
  });

  const anyCandidate = fc.record({
    provider: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    circuit: fc.constantFrom('closed' as const, 'half_open' as const, 'open' as const),
    held: fc.constantFrom(null, { files: 2, bytes: 5, byPurpose: { documents: 2 } }),
    capabilities: fc.constantFrom<Capabilities[]>(
      ...[storageCapabilities(GB), storageCapabilities(10), vendor, { ...vendor, resumes: true }],
      { ...storageCapabilities(GB), uses: ['extract'], expiresAfterSeconds: 3600 },
    ),
  });
  const candidates = fc.uniqueArray(anyCandidate, { selector: ({ provider }) => provider });
  const use = fc.constantFrom(...USES, 'documents', 'label');
  const size = fc.constantFrom(0, 1, 11, COSTLY_BYTES + 1, 2 * GB);

  test('does not depend on the order in which they are looked at, and each has a reason', () => {
    const withShuffle = candidates.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })));
    fc.assert(
      fc.property(
        withShuffle,
        use,
        size,
        fc.option(fc.constant<string[]>(['c', 'a', 'd']), { nil: null }),
        ([all, shuffled], what, bytes, preferred) => {
          const ranked = rank(all, what, bytes, preferred);
          expect(rank(shuffled, what, bytes, preferred)).toEqual(ranked);
          const told = [...ranked.routes, ...ranked.refused];
          expect(told.every(({ why }) => why !== '')).toBe(true);
          const allowed = all.map(({ provider }) => provider).filter((provider) => preferred?.includes(provider) ?? true);
          expect(told.map(({ provider }) => provider).sort()).toEqual([...new Set([...allowed, ...(preferred ?? [])])].sort());
        },
      ),
    );
  });
});

describe('a text', () => {
  test.each([
    ['UTF-8', Buffer.from('Grüße 😀\n\t\r\f'), 'utf-8', 'Grüße 😀\n\t\r\f'],
    ['UTF-8 with a mark', Buffer.from('\ufeffwith'), 'utf-8', 'with'],
    ['UTF-16, little end first', Buffer.from('\ufeffä😀', 'utf16le'), 'utf-16le', 'ä😀'],
    ['UTF-16, big end first', Buffer.from('\ufeffä😀', 'utf16le').swap16(), 'utf-16be', 'ä😀'],
    ['empty', Buffer.alloc(0), 'utf-8', ''],
  ])('in %s is read', (_, bytes, encoding, text) => expect(decodeText(bytes)).toEqual({ text, encoding }));
  test.each([
    ['a NUL', Buffer.from('text\0')],
    ['an escape', Buffer.from('\u001b[2J')],
    ['a control character of Latin-1', Buffer.from('a\u0085b')],
    ['Latin-1', Buffer.from('Grüße', 'latin1')],
    ['a character cut off at the end', Buffer.from('Grü').subarray(0, 3)],
    ['half of a pair in UTF-16', Buffer.from('\ufeffa\ud800b', 'utf16le')],
    ['UTF-16 with a byte too few', Buffer.from('\ufeffab', 'utf16le').subarray(0, 5)],
    ['UTF-32', Buffer.from([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0])],
  ])('is not what has %s, and the reason is told', (_, bytes) =>
    expect(decodeText(bytes)).toEqual({ text: null, why: expect.stringMatching(/\w+/) }),
  );
  test('gives back the bytes that it was read from, or is none', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const read = decodeText(bytes);
        if (read.text === null) return;
        expect(bytes.includes(0) && read.encoding === 'utf-8').toBe(false);
        const mark =
          read.encoding === 'utf-8' ? (Buffer.from(bytes).subarray(0, 3).equals(Buffer.from('\ufeff')) ? '\ufeff' : '') : '\ufeff';
        const written = Buffer.from(mark + read.text, read.encoding === 'utf-8' ? 'utf8' : 'utf16le');
        expect(read.encoding === 'utf-16be' ? written.swap16() : written).toEqual(Buffer.from(bytes));
      }),
    );
  });
});

describe('the smart file handler', () => {
  let sent: { provider: string; purpose: string; mayFail: boolean }[];
  let broken: Map<string, Error>;
  let dependencies: SmartHandlerDependencies;
  beforeEach(() => {
    sent = [];
    broken = new Map();
    dependencies = {
      candidates: async () => [candidate('a', vendor), candidate('b', vendor), candidate('s3')],
      async check(provider) {
        const error = broken.get(`check ${provider}`);
        if (error !== undefined) throw error;
      },
      async upload(_, { provider, purpose }, mayFail) {
        sent.push({ provider, purpose, mayFail });
        const error = broken.get(provider);
        if (error !== undefined) throw error;
        return { provider, providerFileId: 'id' } as FileOperationResult;
      },
      inline: { maxBytes: 1000 },
      preferred: null,
    };
  });
  function file(name: string, content: string | Uint8Array): PathSource {
    const path = join(scratch.path, randomUUID(), name);
    mkdirSync(join(path, '..'));
    writeFileSync(path, content);
    return { kind: 'path', path, sizeBytes: Buffer.byteLength(content), modifiedMs: 0 };
  }
  const handle = (source: PathSource, use = 'extract') => handleFile(source, { use, signal }, dependencies);

  test('gives a small text inline where its text is what is wanted, whatever it is called', async () => {
    expect(await handle(file('a.pdf', 'only text'))).toMatchObject({
      ...{ action: 'inline', text: 'only text', encoding: 'utf-8' },
      reason: expect.stringContaining('9 bytes'),
    });
    expect(sent).toEqual([]);
  });
  test.each([
    ['one that is larger', 'a.txt', 'x'.repeat(1001), 'extract', /SMART_HANDLER_INLINE_MAX_BYTES/],
    ['one that is binary, though it is named .txt', 'a.txt', Buffer.from([1, 2, 3]), 'extract', /control character/],
    ['one to keep', 'a.txt', 'text', 'storage', /for storage a file is needed/],
  ])('uploads %s, and says why', async (_, name, content, use, why) => {
    const handled = await handle(file(name, content), use);
    expect(handled).toMatchObject({ action: 'upload', reason: expect.stringMatching(why) });
    expect(sent).toHaveLength(1);
  });
  test('never gives a binary file inline, and nothing for a use that wants a file', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 50 }),
      fc.string({ unit: 'binary', maxLength: 50 }).map((text) => new TextEncoder().encode(text)),
    );
    await fc.assert(
      fc.asyncProperty(bytes, fc.constantFrom('extract', 'storage'), async (content, use) => {
        const handled = await handle(file('a.txt', content), use);
        expect(handled.reason).not.toBe('');
        const isText = decodeText(content).text !== null;
        expect(handled.action).toBe(isText && INLINE_USES.has(use) ? 'inline' : 'upload');
      }),
      { numRuns: 60 },
    );
  });

  test.each([
    [
      'does not answer',
      'check a',
      new ProviderUnavailableError('nothing listens there', { code: 'connection_refused', provider: 'a', retryable: true }),
    ],
    ['is left alone', 'check a', new ProviderUnavailableError('left alone', { code: 'circuit_open', provider: 'a', retryable: true })],
    ['fails on the way', 'a', new UploadError('broke', { code: 'connection_broken', provider: 'a', retryable: true })],
    ['is full', 'a', new UploadError('full', { code: 'quota_exceeded', provider: 'a' })],
  ])('takes the next provider where one %s, and tells each step', async (_, where, error) => {
    broken.set(where, error);
    const handled = await uploadToBest(file('a.pdf', Buffer.from([0])), { use: 'extract', signal }, dependencies);
    expect(handled).toMatchObject({ provider: 'b', purpose: 'documents', reason: expect.stringContaining(error.message) });
    expect(handled.considered.map(({ provider, taken, why }) => [provider, taken, why])).toEqual([
      ['a', false, error.message],
      ['b', true, expect.any(String)],
      ['s3', false, expect.stringContaining('not for extract')],
    ]);
    expect(sent.at(-1)).toEqual({ provider: 'b', purpose: 'documents', mayFail: false });
  });
  test('does not look elsewhere for a mistake that is the file’s own', async () => {
    broken.set('a', new ValidationError('gone', { code: 'file_vanished' }));
    await expect(handle(file('a.pdf', Buffer.from([0])))).rejects.toMatchObject({ code: 'file_vanished' });
    expect(sent).toEqual([{ provider: 'a', purpose: 'documents', mayFail: true }]);
  });
  test('says of each provider why it does not take a file that fits nowhere', async () => {
    await expect(handle(file('a.exe', Buffer.from([0])))).rejects.toMatchObject({
      code: 'no_provider_fits',
      message: expect.stringMatching(/a: .*\.exe.*\n {2}b: .*\.exe.*\n {2}s3: .*not for extract/s),
    });
  });
  test('gives the last error where all that fit are down', async () => {
    for (const provider of ['a', 'b'])
      broken.set(provider, new ProviderUnavailableError(`${provider} is down`, { code: 'unavailable', provider }));
    await expect(handle(file('a.pdf', Buffer.from([0])))).rejects.toThrow('b is down');
    expect(sent.map(({ mayFail }) => mayFail)).toEqual([true, false]);
  });
});
