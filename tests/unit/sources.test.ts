import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SourceItem } from '../../src/domain/migration-item.ts';
import { folderSource } from '../../src/sources/folder.ts';
import { manifestSource } from '../../src/sources/manifest.ts';
import type { Source } from '../../src/sources/source.ts';
import { asOrdinaryUser } from '../support/ordinary-user.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cutover-sources-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const put = (path: string, text = path) => {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), text);
};
async function all(source: Source, limit = 100): Promise<SourceItem[]> {
  const items: SourceItem[] = [];
  let cursor: string | null = null;
  do {
    const page = await source.page(cursor, limit);
    items.push(...page.items);
    cursor = page.next;
  } while (cursor !== null);
  return items;
}
const paths = (items: SourceItem[]) => items.map((item) => item.path);

describe('a folder', () => {
  test('is listed with everything below it, whatever the size of the pages', async () => {
    for (const path of ['b/2', 'b/1', 'a', 'b/c/d/e', 'c', 'b-/x', 'b/c.txt']) put(path);
    const whole = paths(await all(folderSource(root)));
    expect([...whole].sort()).toEqual(['a', 'b-/x', 'b/1', 'b/2', 'b/c.txt', 'b/c/d/e', 'c'].sort());
    for (const limit of [1, 2, 3, 5]) expect(paths(await all(folderSource(root), limit))).toEqual(whole);
  });

  test('is listed once and whole for any tree and any page size', async () => {
    const name = fc.constantFrom('a', 'b', 'a.b', 'a b', 'ä', '-', 'B', 'a\nb', '😀', 'q\'"');
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.array(name, { minLength: 1, maxLength: 4 }), { maxLength: 25 }),
        fc.integer({ min: 1, max: 7 }),
        async (tree, limit) => {
          const wanted = new Set<string>();
          for (const parts of tree) {
            try {
              put(parts.join('/'));
              wanted.add(parts.join('/'));
            } catch {
              // a file stands where this path needs a folder, or the other way round
            }
          }
          const listed = paths(await all(folderSource(root), limit));
          expect(listed).toHaveLength(wanted.size);
          expect(new Set(listed)).toEqual(wanted);
          rmSync(root, { recursive: true });
          mkdirSync(root);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('of many files is listed whole although a few names are held at a time', async () => {
    for (let at = 0; at < 5_000; at += 1) writeFileSync(join(root, `${at}`), '');
    const items = await all(folderSource(root), 1_700);
    expect(new Set(paths(items)).size).toBe(5_000);
    expect(new Set(items.map((item) => item.key)).size).toBe(5_000);
  });

  test('with long names comes in pages that Temporal can carry', async () => {
    const long = Array.from({ length: 14 }, (_, at) => `${at}${'x'.repeat(240)}`).join('/');
    for (let at = 0; at < 100; at += 1) put(`${long}/${at}`, '');
    const { items, next } = await folderSource(root).page(null, 1_000);
    expect(items.length).toBeLessThan(100);
    expect(JSON.stringify(items).length).toBeLessThan(1_000_000);
    expect(next).not.toBeNull();
    expect(await all(folderSource(root), 1_000)).toHaveLength(100);
  });

  test('has its links to files followed, and says so of what it cannot follow', async () => {
    put('file');
    put('folder/inside');
    symlinkSync('file', join(root, 'link'));
    symlinkSync('folder', join(root, 'link-to-folder'));
    symlinkSync('nowhere', join(root, 'broken'));
    execFileSync('mkfifo', [join(root, 'pipe')]);
    const items = new Map((await all(folderSource(root))).map((item) => [item.path, item]));
    expect(items.get('link')?.source).not.toBeNull();
    expect(items.get('link-to-folder')?.problem).toMatchObject({ status: 'skipped', code: 'link_to_folder' });
    expect(items.get('broken')?.problem).toMatchObject({ status: 'failed', code: 'broken_link' });
    expect(items.get('pipe')?.problem).toMatchObject({ status: 'skipped', code: 'not_a_file' });
    expect(items.size).toBe(6);
  });

  test('reports a name that is not UTF-8 instead of losing it', async () => {
    writeFileSync(Buffer.concat([Buffer.from(`${root}/bad-`), Buffer.from([0xff, 0xfe])]), 'x');
    const [item] = await all(folderSource(root));
    expect(item?.problem).toMatchObject({ status: 'failed', code: 'name_not_utf8' });
  });

  test('reports a folder below it that may not be read, and goes on', async () => {
    put('closed/file');
    put('open');
    chmodSync(root, 0o755);
    chmodSync(join(root, 'closed'), 0o000);
    const items = await asOrdinaryUser(() => all(folderSource(root)));
    expect(items.map((item) => [item.path, item.problem?.code])).toEqual([
      ['closed', 'file_unreadable'],
      ['open', undefined],
    ]);
  });

  test('that is not there, is a file, or holds nothing is refused by its name', async () => {
    put('file');
    mkdirSync(join(root, 'empty/also/empty'), { recursive: true });
    await expect(folderSource(join(root, 'gone')).check()).rejects.toThrow(/no folder .*gone/);
    await expect(folderSource(join(root, 'file')).check()).rejects.toThrow(/file is not a folder/);
    await expect(folderSource(join(root, 'empty')).check()).rejects.toThrow(/empty holds no files/);
    await expect(folderSource(root).check()).resolves.toBeUndefined();
  });
});

describe('a manifest', () => {
  const manifest = (name: string, text: string) => {
    writeFileSync(join(root, name), text);
    return manifestSource(join(root, name));
  };

  test('in CSV may quote, may end its lines either way, and pages like a folder', async () => {
    for (const file of ['a.txt', 'b c.txt', 'd"e.txt']) put(file);
    const source = manifest('m.csv', '\ufeffpath,name,tags\r\na.txt,"Ä, ""x""",red; blue\r\n"b c.txt",,\r\n"d""e.txt",d,');
    await source.check();
    const items = await all(source, 1);
    expect(paths(items)).toEqual(['a.txt', 'b c.txt', 'd"e.txt']);
    expect(items[0]?.reference).toEqual({ name: 'Ä, "x"', tags: ['red', 'blue'] });
    expect(items[1]?.reference).toEqual({});
    expect(items[2]?.source).toMatchObject({ kind: 'path', path: join(root, 'd"e.txt') });
  });

  test('in JSON lines may name absolute paths and users', async () => {
    put('a.txt');
    const source = manifest('m.jsonl', `${JSON.stringify({ path: join(root, 'a.txt'), user_id: 'u1' })}\n\n{"path":"gone.txt"}`);
    await source.check();
    const items = await all(source, 1);
    expect(items[0]).toMatchObject({ sizeBytes: 5, reference: { userId: 'u1' } });
    expect(items[1]?.problem).toMatchObject({ status: 'failed', code: 'file_vanished' });
  });

  test('with broken lines is refused, naming each by its number', async () => {
    await expect(manifest('a.csv', 'path,name\na,b\nc\n').check()).rejects.toThrow(/line 3: has 1 fields, the header has 2/);
    await expect(manifest('b.csv', 'file\na\n').check()).rejects.toThrow(/line 1: the header has no column "path"/);
    await expect(manifest('c.csv', 'path,nmae\na,b\n').check()).rejects.toThrow(/line 2: .*nmae/);
    await expect(manifest('d.jsonl', '{"path":"a"}\n{"path":\n{"path":1}\n').check()).rejects.toThrow(
      /line 2: is not JSON.*\n.*line 3: path/s,
    );
  });

  test('that names nothing or is not there is refused', async () => {
    await expect(manifest('e.csv', 'path\n').check()).rejects.toThrow(/names no files/);
    await expect(manifestSource(join(root, 'gone.csv')).check()).rejects.toThrow(/gone.csv is not there/);
  });
});
