import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Incomplete, openObject, removeLeftovers, TooLarge, writeObject } from '../../src/stack/lite/object-file.ts';
import { scratchFolder } from '../support/stack.ts';

let folder: ReturnType<typeof scratchFolder>;
beforeEach(() => {
  folder = scratchFolder('object-file');
});
afterEach(() => folder.remove());

const ABOUT = { bucket: 'b', key: 'k', mimetype: 'text/plain', cacheControl: 'no-cache' };
const ANY = { sizeBytes: null, maxBytes: Number.POSITIVE_INFINITY };
const chunks = (...texts: string[]) => Readable.from(texts.map((text) => Buffer.from(text)));

test('an object and what is known of it come back, also an empty one', async () => {
  for (const text of ['some bytes', '']) {
    const path = join(folder.path, 'ab', `object-${text.length}`);
    const written = await writeObject(path, text === '' ? chunks() : chunks('some ', 'bytes'), ABOUT, ANY);
    const { file, metadata } = await openObject(path);
    await file.close();
    expect(metadata).toEqual(written);
    expect(metadata.size).toBe(text.length);
    expect(readFileSync(path).subarray(0, metadata.size).toString()).toBe(text);
  }
});

test('a body that is too large, too short, too long or breaks off leaves nothing and keeps the old object', async () => {
  const path = join(folder.path, 'ab', 'object');
  await writeObject(path, chunks('old'), ABOUT, ANY);
  const broken = Readable.from(
    (async function* () {
      yield Buffer.from('new');
      throw new Error('connection lost');
    })(),
  );
  await expect(writeObject(path, chunks('12345'), ABOUT, { sizeBytes: null, maxBytes: 4 })).rejects.toThrow(TooLarge);
  await expect(writeObject(path, chunks('123'), ABOUT, { ...ANY, sizeBytes: 4 })).rejects.toThrow(Incomplete);
  await expect(writeObject(path, chunks('12345'), ABOUT, { ...ANY, sizeBytes: 4 })).rejects.toThrow(Incomplete);
  await expect(writeObject(path, broken, ABOUT, ANY)).rejects.toThrow('connection lost');
  expect(readdirSync(join(folder.path, 'ab'))).toEqual(['object']);
  const { file, metadata } = await openObject(path);
  await file.close();
  expect(metadata.size).toBe(3);
});

test('what a crash left of uploads is removed, and whole objects are not', async () => {
  const path = join(folder.path, 'ab', 'object');
  await writeObject(path, chunks('x'), ABOUT, ANY);
  mkdirSync(join(folder.path, 'cd'));
  writeFileSync(join(folder.path, 'cd', 'y.1234.tmp'), 'half');
  expect(await removeLeftovers(folder.path)).toBe(1);
  expect(existsSync(path)).toBe(true);
  expect(readdirSync(join(folder.path, 'cd'))).toEqual([]);
  expect(await removeLeftovers(join(folder.path, 'not-there'))).toBe(0);
});
