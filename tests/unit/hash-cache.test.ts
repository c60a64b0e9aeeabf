import { randomUUID } from 'node:crypto';
import { appendFileSync, mkdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import type { PathSource } from '../../src/domain/models.ts';
import { createHashCache } from '../../src/manager/hash-cache.ts';
import { hashFile } from '../../src/sources/local-file.ts';
import { scratchFolder } from '../support/stack.ts';

const scratch = scratchFolder('hash-cache');
afterAll(() => scratch.remove());
const signal = new AbortController().signal;
/** The file system's clock goes in ticks of some ms: after this a change gets another time. */
function tick(): void {
  const probe = join(scratch.path, 'tick');
  writeFileSync(probe, '');
  const first = statSync(probe, { bigint: true }).ctimeNs;
  while (statSync(probe, { bigint: true }).ctimeNs === first) writeFileSync(probe, '');
}
const later = () => Date.now() + 3_000;
const sourceOf = (path: string): PathSource => ({ kind: 'path', path, sizeBytes: statSync(path).size, modifiedMs: 0 });
function put(content: string): string {
  const folder = join(scratch.path, randomUUID());
  mkdirSync(folder);
  writeFileSync(join(folder, 'file'), content);
  return join(folder, 'file');
}
/** Whether the answer came without a read: a read tells of its progress chunk by chunk, and none of an empty file. */
async function wasRead(cache: ReturnType<typeof createHashCache>, path: string): Promise<boolean> {
  const told: number[] = [];
  await cache.hash({ ...sourceOf(path), sizeBytes: 0 }, { signal, onProgress: (bytes) => told.push(bytes) });
  return told.length > 1;
}
const LARGE = 'x'.repeat(100_000);

describe('the cache of hashes', () => {
  test('answers from memory for a file that has rested, and reads one that was changed, touched or put in its place', async () => {
    const path = put(LARGE);
    const cache = createHashCache({ max: 10, now: later });
    tick();
    expect(await wasRead(cache, path)).toBe(true);
    expect(await wasRead(cache, path)).toBe(false);
    utimesSync(path, 1, 1);
    tick();
    expect(await wasRead(cache, path)).toBe(true);
    expect(await wasRead(cache, path)).toBe(false);
    renameSync(put(LARGE), path);
    tick();
    expect(await wasRead(cache, path)).toBe(true);
    expect(await wasRead(cache, path)).toBe(false);
    cache.forget(path);
    expect(await wasRead(cache, path)).toBe(true);
  });

  test('does not trust the times of a file that was changed a moment ago', async () => {
    const path = put(LARGE);
    const cache = createHashCache({ max: 10 });
    expect(await wasRead(cache, path)).toBe(true);
    expect(await wasRead(cache, path)).toBe(true);
  });

  test('does not remember a file that changed while it was read', async () => {
    const path = put(LARGE);
    const cache = createHashCache({ max: 10, now: later });
    tick();
    let appended = false;
    const onProgress = () => {
      if (!appended) appendFileSync(path, 'more');
      appended = true;
    };
    await cache.hash({ ...sourceOf(path), sizeBytes: 0 }, { signal, onProgress });
    tick();
    expect(await wasRead(cache, path)).toBe(true);
    expect(await cache.hash(sourceOf(path), { signal })).toEqual(await hashFile(sourceOf(path), { signal }));
  });

  test('holds no more files than it may, and says what is wrong with one that is gone', async () => {
    const [first, second] = [put(LARGE), put(LARGE)];
    const cache = createHashCache({ max: 1, now: later });
    tick();
    await cache.hash(sourceOf(first), { signal });
    await cache.hash(sourceOf(second), { signal });
    expect(await wasRead(cache, first)).toBe(true);
    const source = sourceOf(first);
    rmSync(first);
    await expect(cache.hash(source, { signal })).rejects.toMatchObject({ code: 'file_vanished' });
  });

  test('answers what a fresh hash says, whatever is done to the files and in which order', async () => {
    const name = fc.constantFrom('a', 'b');
    // Of the same size, so that only times and inodes tell them apart.
    const text = fc.constantFrom('one', 'two', 'six', 'three');
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ do: fc.constant('hash' as const), name }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('rest' as const) }) },
      fc.record({ do: fc.constant('write' as const), name, text }),
      fc.record({ do: fc.constant('write, times kept' as const), name, text }),
      fc.record({ do: fc.constant('touch' as const), name, at: fc.integer({ min: 0, max: 2 }) }),
      fc.record({ do: fc.constant('swap' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const folder = join(scratch.path, randomUUID());
        mkdirSync(folder);
        const at = (file: string) => join(folder, file);
        for (const file of ['a', 'b']) writeFileSync(at(file), 'one');
        let rested = false;
        const cache = createHashCache({ max: 2, now: () => (rested ? later() : Date.now()) });
        for (const each of steps) {
          if (each.do === 'rest') tick();
          rested = each.do === 'rest' || (rested && each.do === 'hash');
          if (each.do === 'write') writeFileSync(at(each.name), each.text);
          if (each.do === 'write, times kept') {
            const { atime, mtime } = statSync(at(each.name));
            writeFileSync(at(each.name), each.text);
            utimesSync(at(each.name), atime, mtime);
          }
          if (each.do === 'touch') utimesSync(at(each.name), each.at, each.at);
          if (each.do === 'swap') {
            renameSync(at('a'), at('c'));
            renameSync(at('b'), at('a'));
            renameSync(at('c'), at('b'));
          }
          if (each.do !== 'hash') continue;
          const source = sourceOf(at(each.name));
          expect(await cache.hash(source, { signal })).toEqual(await hashFile(source, { signal }));
        }
      }),
      { numRuns: 150 },
    );
  });
});
