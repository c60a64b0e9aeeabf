import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openSource } from '../../src/sources/open.ts';
import { scratchFolder } from '../support/stack.ts';

const scratch = scratchFolder('allowed-folders');
afterAll(() => scratch.remove());
const base = realpathSync(scratch.path);
const at = (...parts: string[]) => join(base, ...parts);
mkdirSync(at('in/.cutover'), { recursive: true });
for (const file of ['in/file.txt', 'in/.cutover/secrets.json', 'secret.txt']) writeFileSync(at(file), file);
symlinkSync(at('secret.txt'), at('in/link.txt'));

const within = { folders: [at('in')], kept: [at('in/.cutover')] };
const nobody = () => {
  throw new Error('no provider is asked');
};
const refused = { source: null, sizeBytes: 0, problem: { status: 'failed', code: 'outside_of_roots' } };

it('a manifest that was replaced after it was looked at takes no file from elsewhere, page for page', async () => {
  const manifest = at('in/list.csv');
  const source = openSource({ kind: 'manifest', path: manifest, within }, nobody);
  writeFileSync(manifest, `path\nfile.txt\nfile.txt\n`);
  const first = await source.page(null, 1);
  expect(first.items).toMatchObject([{ path: 'file.txt', source: { path: at('in/file.txt') } }]);
  writeFileSync(manifest, `path\nfile.txt\n../secret.txt\n${at('secret.txt')}\nlink.txt\n.cutover/secrets.json\nfile.txt\n`);
  const { items } = await source.page(first.next, 100);
  expect(items).toMatchObject([refused, refused, refused, refused, { source: { path: at('in/file.txt') } }]);
  expect(items[0]?.problem?.message).toBe('../secret.txt is outside of the folders that this migration may read');
});

it('a folder gives no file to which a link leads out, and everything where nobody bounds it', async () => {
  const folder = { kind: 'folder', root: at('in') } as const;
  const listed = async (source: ReturnType<typeof openSource>) =>
    (await source.page(null, 100)).items.flatMap(({ path, source: found }) => (found === null ? [] : [path]));
  expect(await listed(openSource({ ...folder, within }, nobody))).toEqual(['file.txt', 'list.csv']);
  expect(await listed(openSource(folder, nobody))).toEqual(['.cutover/secrets.json', 'file.txt', 'link.txt', 'list.csv']);
});
