import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FileNotFoundError } from '../../src/domain/errors.ts';
import type { CallContext, FileService, StoredFile, UploadFile } from '../../src/facade/file-service.ts';
import { drain, freshSeed, MIB, pattern, sha256Of } from '../support/bodies.ts';

/** A file to upload, of a content that no other has. */
export function sampleFile(sizeBytes: number, more: Partial<UploadFile> = {}): { file: UploadFile; sha256: string } {
  const seed = freshSeed();
  async function* open() {
    yield* pattern(sizeBytes, seed);
  }
  return {
    file: { name: 'sample.txt', mimeType: 'text/plain', sizeBytes, path: null, open, ...more },
    sha256: sha256Of(pattern(sizeBytes, seed)),
  };
}

export const contextOf = (more: Partial<CallContext> = {}): CallContext => ({
  tool: 'kimi',
  userId: `user-${randomUUID()}`,
  operationId: randomUUID(),
  purpose: 'storage',
  signal: new AbortController().signal,
  ...more,
});

/** A user's files, page by page. */
export async function listedBy(service: FileService, context: CallContext): Promise<StoredFile[]> {
  const listed: StoredFile[] = [];
  for (let after: string | null = null; ; ) {
    const { files, next } = await service.list({ after, limit: 2 }, context);
    listed.push(...files);
    if (next === null) return listed;
    after = next;
  }
}

/** What both sides of the facade promise. */
export function describeFileService(name: string, open: () => Promise<{ service: FileService; close(): Promise<void> }>): void {
  describe(name, () => {
    let under: Awaited<ReturnType<typeof open>>;
    let service: FileService;
    beforeAll(async () => {
      under = await open();
      service = under.service;
    });
    afterAll(() => under?.close());

    test.each([1, 5000, 3 * MIB])('keeps a file of %i bytes, and tells of it', async (sizeBytes) => {
      const { file, sha256 } = sampleFile(sizeBytes);
      const context = contextOf();
      const stored = await service.upload(file, context);
      expect(stored).toMatchObject({ name: 'sample.txt', sizeBytes, mimeType: 'text/plain' });
      expect([sha256, null]).toContain(stored.sha256);
      expect(await service.info(stored.id, context)).toMatchObject({ id: stored.id, name: 'sample.txt', sizeBytes });
      const download = await service.download(stored.id, context);
      expect(await drain(download.chunks)).toEqual({ sizeBytes, sha256 });
    });

    test('says what an operation has stored, where it can say that at all', async () => {
      const context = contextOf();
      const stored = await service.upload(sampleFile(10).file, context);
      if (service.find === undefined) return;
      expect(await service.find(context.operationId, context)).toMatchObject({ id: stored.id, sizeBytes: 10 });
      expect(await service.find(randomUUID(), context)).toBeNull();
    });

    test('keeps names as they are', async () => {
      const context = contextOf();
      for (const given of ['Übersicht 报告 "1".txt', 'a & b=c?d#e.txt']) {
        const stored = await service.upload(sampleFile(10, { name: given }).file, context);
        expect(stored.name).toBe(given);
      }
    });

    test('lists the files of a user alone, page by page', async () => {
      const [ann, bob] = [contextOf(), contextOf()];
      const mine = new Set<string>();
      for (let at = 0; at < 5; at += 1) mine.add((await service.upload(sampleFile(10).file, ann)).id);
      await service.upload(sampleFile(10).file, bob);
      const listed = (await listedBy(service, ann)).map(({ id }) => id);
      expect(listed.toSorted()).toEqual([...mine].toSorted());
    });

    test('deletes a file once, and says plainly that it is gone', async () => {
      const context = contextOf();
      const { id } = await service.upload(sampleFile(10).file, context);
      expect(await service.delete(id, context)).toBe(true);
      expect(await service.info(id, context)).toBeNull();
      expect(await service.delete(id, context)).toBe(false);
      await expect(service.download(id, context)).rejects.toBeInstanceOf(FileNotFoundError);
    });

    test.each([
      ['two names', 'a.txt', 'b.txt'],
      ['one name', 'a.txt', 'a.txt'],
    ])('keeps the same bytes under %s as two files, of which one stays when the other is deleted', async (_, first, second) => {
      const { file, sha256 } = sampleFile(10);
      const context = contextOf();
      const upload = async (name: string) => await service.upload({ ...file, name }, { ...context, operationId: randomUUID() });
      const [one, two] = [await upload(first), await upload(second)];
      expect(one.id).not.toBe(two.id);
      const listed = async () => (await listedBy(service, context)).map(({ id, name }) => `${id} ${name}`);
      expect((await listed()).sort()).toEqual([`${one.id} ${first}`, `${two.id} ${second}`].sort());
      expect([await service.delete(one.id, context), await service.delete(one.id, context)]).toEqual([true, false]);
      expect(await service.info(one.id, context)).toBeNull();
      expect(await service.info(two.id, context)).toMatchObject({ id: two.id, name: second });
      expect(await listed()).toEqual([`${two.id} ${second}`]);
      expect(await drain((await service.download(two.id, context)).chunks)).toEqual({ sizeBytes: 10, sha256 });
    });

    test('stops at once when the caller does', async () => {
      const controller = new AbortController();
      const reason = new Error('stop');
      const sizeBytes = 3 * MIB;
      async function* open() {
        for (const chunk of pattern(sizeBytes, freshSeed())) {
          controller.abort(reason);
          yield chunk;
        }
      }
      await expect(service.upload(sampleFile(sizeBytes, { open }).file, contextOf({ signal: controller.signal }))).rejects.toBe(reason);
    });
  });
}
