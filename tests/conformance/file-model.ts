import fc from 'fast-check';
import { expect } from 'vitest';
import { FileNotFoundError } from '../../src/domain/errors.ts';
import type { CallContext, FileService } from '../../src/facade/file-service.ts';
import { contextOf, listedBy } from './file-service-suite.ts';

/** What an application does with its files: few users, names and contents, so that they meet. `nth` of the ids given out so far. */
export type FileOperation =
  | { do: 'upload'; user: number; name: string; text: string; again: boolean }
  | { do: 'download' | 'info' | 'delete'; user: number; nth: number }
  | { do: 'list'; user: number };

const USERS = 2;
const user = fc.nat({ max: USERS - 1 });
const nth = fc.nat({ max: 9 });
const upload = fc.record({
  ...{ do: fc.constant('upload' as const), user },
  name: fc.constantFrom('a.txt', 'b.txt'),
  text: fc.constantFrom('one', 'two'),
  // As an application does that has not heard the answer: the same once more.
  again: fc.boolean(),
});
const byId = fc.record({ do: fc.constantFrom('download' as const, 'info' as const, 'delete' as const, 'delete' as const), user, nth });
const operation: fc.Arbitrary<FileOperation> = fc.oneof(
  { weight: 3, arbitrary: upload },
  { weight: 4, arbitrary: byId },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('list' as const), user }) },
);
export const fileOperations = (maxLength: number): fc.Arbitrary<FileOperation[]> => fc.array(operation, { maxLength });

interface Kept {
  userId: string;
  name: string;
  text: string;
}

/** The side answers as a plain map of ids to files does. @returns what is left of each content, by whomever */
export async function expectPlainFiles(service: FileService, operations: readonly FileOperation[]): Promise<Set<string>> {
  const callers = Array.from({ length: USERS }, () => contextOf());
  const kept = new Map<string, Kept>();
  const given: string[] = [];
  const as = (index: number): CallContext => {
    const caller = callers[index] as CallContext;
    return { ...caller, operationId: crypto.randomUUID() };
  };
  const mine = (id: string, { userId }: CallContext): Kept | null => {
    const file = kept.get(id);
    return file !== undefined && file.userId === userId ? file : null;
  };

  for (const operation of operations) {
    const context = as(operation.user);
    if (operation.do === 'list') await expectListed(context);
    else if (operation.do === 'upload') {
      const { name, text, again } = operation;
      const file = { name, mimeType: 'text/plain', sizeBytes: text.length, path: null, open: () => bytesOf(text) };
      const { id } = await service.upload(file, context);
      expect(given, 'each upload has an id of its own').not.toContain(id);
      if (again) expect((await service.upload(file, context)).id, 'tried again, it is the same').toBe(id);
      given.push(id);
      kept.set(id, { userId: context.userId ?? '', name, text });
    } else {
      const id = given[operation.nth % given.length];
      if (id === undefined) continue;
      const file = mine(id, context);
      if (operation.do === 'info') await expectInfo(id, file, context);
      else if (operation.do === 'download') await expectBytes(id, file, context);
      else {
        expect(await service.delete(id, context)).toBe(file !== null);
        if (file !== null) kept.delete(id);
      }
    }
  }
  for (const context of callers) await expectListed(context);
  for (const id of given) for (const context of callers) await expectInfo(id, mine(id, context), context);
  return new Set([...kept.values()].map(({ text }) => text));

  async function expectListed(context: CallContext): Promise<void> {
    const listed = (await listedBy(service, context)).map(({ id, name, sizeBytes }) => `${id} ${name} ${sizeBytes}`);
    const own = [...kept].filter(([, { userId }]) => userId === context.userId);
    expect(listed.sort()).toEqual(own.map(([id, { name, text }]) => `${id} ${name} ${text.length}`).sort());
  }
  async function expectInfo(id: string, file: Kept | null, context: CallContext): Promise<void> {
    const told = await service.info(id, context);
    if (file === null) expect(told).toBeNull();
    else expect(told).toMatchObject({ id, name: file.name, sizeBytes: file.text.length });
  }
  async function expectBytes(id: string, file: Kept | null, context: CallContext): Promise<void> {
    const download = service.download(id, context);
    if (file === null) return await expect(download).rejects.toBeInstanceOf(FileNotFoundError);
    const chunks: Uint8Array[] = [];
    for await (const chunk of (await download).chunks) chunks.push(Buffer.from(chunk));
    expect(Buffer.concat(chunks).toString()).toBe(file.text);
  }
}

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
