import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openRoots } from '../../src/mcp/roots.ts';
import { scratchFolder } from '../support/stack.ts';

const scratch = scratchFolder('mcp-roots');
afterAll(() => scratch.remove());
const base = realpathSync(scratch.path);
const at = (...parts: string[]) => join(base, ...parts);
for (const folder of ['one/deep', 'two', 'one-more', 'one/.cutover']) mkdirSync(at(folder), { recursive: true });
for (const file of ['one/file.txt', 'one/deep/file.txt', 'one-more/file.txt', 'secret.txt', 'one/.env', 'one/.cutover/stack.env'])
  writeFileSync(at(file), file);
symlinkSync(at('secret.txt'), at('one/link-out.txt'));
symlinkSync(at('one-more'), at('one/folder-out'));
symlinkSync(at('one/file.txt'), at('one/link-in.txt'));
symlinkSync(at('nowhere'), at('one/dangling'));

const roots = await openRoots(['one', 'two'], base, [at('one/.env'), at('one/.cutover')]);
const outside = { code: 'outside_of_roots', message: expect.stringContaining(`${at('one')}, ${at('two')}`) };

describe('the folders of the MCP server', () => {
  it('begin relative paths in the first one, and take what is in any', async () => {
    expect(await roots.readable('file.txt')).toBe(at('one/file.txt'));
    expect(await roots.readable('deep/../file.txt')).toBe(at('one/file.txt'));
    expect(await roots.readable(at('two/not-there-yet.txt'))).toBe(at('two/not-there-yet.txt'));
    expect(await roots.readable('.')).toBe(at('one'));
  });

  it.each([
    '../secret.txt',
    '/etc/passwd',
    '..',
    'deep/../../secret.txt',
    at('one-more/file.txt'),
    'link-out.txt',
    'folder-out/file.txt',
    '/',
  ])('keep %s out, for reading and writing', async (path) => {
    await expect(roots.readable(path)).rejects.toMatchObject(outside);
    await expect(roots.writable(path)).rejects.toMatchObject(outside);
  });

  it('follow a link that stays inside, also when something is written there', async () => {
    expect(await roots.readable('link-in.txt')).toBe(at('one/file.txt'));
    expect(await roots.writable('link-in.txt')).toBe(at('one/file.txt'));
  });

  it('write below a folder that is there, and not through one that leads out', async () => {
    expect(await roots.writable('deep/new.txt')).toBe(at('one/deep/new.txt'));
    await expect(roots.writable('folder-out/new.txt')).rejects.toMatchObject(outside);
    await expect(roots.writable('folder-out/not/there/new.txt')).rejects.toMatchObject(outside);
  });

  it('say nothing of what is outside, not even whether it is there', async () => {
    const [there, notThere] = await Promise.all(
      ['../secret.txt', '../sacred.txt'].map((path) => roots.readable(path).catch((error) => error.message)),
    );
    expect(there.replace('secret', 'sacred')).toBe(notThere);
  });

  it.each(['.env', '.cutover', '.cutover/stack.env', 'deep/../.env'])('keep %s from tools: it may hold secrets', async (path) => {
    await expect(roots.readable(path)).rejects.toMatchObject({ code: 'kept_from_tools' });
    await expect(roots.writable(path)).rejects.toMatchObject({ code: 'kept_from_tools' });
  });

  it('refuse a NUL character, and a root that is no folder', async () => {
    await expect(roots.readable('a\0b')).rejects.toMatchObject({ code: 'path_invalid' });
    await expect(openRoots(['nowhere'], base, [])).rejects.toMatchObject({
      code: 'root_not_found',
      message: expect.stringContaining(at('nowhere')),
    });
    await expect(openRoots(['secret.txt'], base, [])).rejects.toMatchObject({ code: 'root_not_found' });
  });

  it('are the working folder where none is given', async () => {
    expect((await openRoots([], at('two'), [])).folders).toEqual([at('two')]);
  });
});
