import { beforeEach, describe, expect, test } from 'vitest';
import { UploadError, ValidationError } from '../../src/domain/errors.ts';
import type { FileContent } from '../../src/domain/models.ts';
import type { Claimed } from '../../src/domain/upload-file.ts';
import { observedSteps, type TransferEnd, type UploadObserver } from '../../src/manager/upload-observer.ts';
import type { UploadStepFunctions, UploadTarget } from '../../src/manager/upload-steps.ts';

/** What is heard of steps that do what a test says. */
let heard: unknown[];
let ends: TransferEnd[];
beforeEach(() => {
  heard = [];
  ends = [];
});
const observer: UploadObserver = {
  sending(transfer) {
    heard.push(transfer);
    return (end) => ends.push(end);
  },
  deduplicated: (provider) => heard.push(['deduplicated', provider]),
  refused: (provider, code) => heard.push(['refused', provider, code]),
};
const steps = (over: Partial<UploadStepFunctions>) => observedSteps(over as UploadStepFunctions, observer);
const target = { provider: 's3', reference: { userId: 'ann' } } as UploadTarget;
const content: FileContent = { sha256: '0'.repeat(64), sizeBytes: 1000, mimeType: 'text/plain' };
const source = { kind: 'path', path: '/a', sizeBytes: 1000, modifiedMs: 0 } as const;
const claimed: Claimed & { outcome: 'claimed' } = { outcome: 'claimed', fileId: 'f', copyId: 'c', attempts: 1, lastErrorCode: null };
const completed = (byUs: boolean): Claimed => ({ outcome: 'completed', fileId: 'f', copyId: 'c', providerFileId: 'p', byUs });
const context = () => ({ signal: new AbortController().signal });

describe('A transfer is told of when it begins and when it ends', () => {
  test('well: with all bytes of the file', async () => {
    const stored = { id: 'p', expiresAt: null };
    expect(await steps({ store: async () => stored }).store(source, content, claimed, target, context())).toBe(stored);
    expect(heard).toEqual([{ provider: 's3', userId: 'ann' }]);
    expect(ends).toEqual([{ status: 'success', bytes: 1000, seconds: expect.any(Number) }]);
  });

  test('badly: with what the provider had taken, and the caller still hears of the progress', async () => {
    const progress: number[] = [];
    const broken = new UploadError('broken', { code: 'connection_lost', retryable: true });
    const store: UploadStepFunctions['store'] = async (_source, _content, _claim, _target, { onProgress }) => {
      for (const bytes of [100, 400]) onProgress?.(bytes);
      throw broken;
    };
    const watched = { ...context(), onProgress: (bytes: number) => progress.push(bytes) };
    await expect(steps({ store }).store(source, content, claimed, target, watched)).rejects.toBe(broken);
    expect([ends, progress]).toEqual([[{ status: 'failure', bytes: 400, seconds: expect.any(Number) }], [100, 400]]);
  });

  test('by its signal: as cancelled', async () => {
    const controller = new AbortController();
    const store = async () => {
      controller.abort(new Error('enough'));
      throw controller.signal.reason;
    };
    await expect(steps({ store }).store(source, content, claimed, target, { signal: controller.signal })).rejects.toThrow('enough');
    expect(ends).toMatchObject([{ status: 'cancelled', bytes: 0 }]);
  });
});

describe('A refusal', () => {
  const refused = new ValidationError('too large', { code: 'file_too_large' });
  const refuse = () => Promise.reject(refused);
  const to = { provider: 's3', name: 'a', purpose: 'storage', verify: 'none' } as const;

  test('is told of in whichever step it comes, once', async () => {
    const refusing = steps({ hash: refuse, claim: refuse, store: refuse });
    await expect(refusing.hash(source, to, context())).rejects.toBe(refused);
    await expect(refusing.claim(content, target)).rejects.toBe(refused);
    await expect(refusing.store(source, content, claimed, target, context())).rejects.toBe(refused);
    expect(heard.filter(Array.isArray)).toEqual(Array.from({ length: 3 }, () => ['refused', 's3', 'file_too_large']));
  });

  test('is not what an outage is', async () => {
    const outage = new UploadError('down', { code: 'unavailable', retryable: true });
    await expect(steps({ hash: () => Promise.reject(outage) }).hash(source, to, context())).rejects.toBe(outage);
    expect(heard).toEqual([]);
  });
});

test.each([
  ['a content that was there', completed(false), true, 1],
  ['one that is counted under another id', completed(false), 'other', 1],
  ['what an earlier attempt of the same upload made', completed(true), true, 0],
  ['a copy that was lost meanwhile', completed(false), false, 0],
  ['what was just sent', claimed, true, 0],
] as const)('Recording %s is a hit or not', async (_, claim, recorded, hits) => {
  expect(await steps({ record: async () => recorded }).record(claim, { id: 'p', expiresAt: null }, target)).toBe(recorded);
  expect(heard).toHaveLength(hits);
});
