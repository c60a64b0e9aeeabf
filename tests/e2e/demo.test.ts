import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { startCommand } from '../support/command.ts';
import { cleanEnv, scratchFolder } from '../support/stack.ts';

/** The first command of the README, on a folder of our own and a stack that nobody has started before. */
const scratch = scratchFolder('demo');
afterAll(() => scratch.remove());

const demo = (folder: string) =>
  startCommand(['demo', folder], { cwd: scratch.path, env: cleanEnv(join(scratch.path, '.cutover'), { NO_COLOR: '1' }) }).ended;

it('the demo sets everything up, moves a folder, says where to look, and stops what it started; again it uploads nothing', async () => {
  const folder = join(scratch.path, 'files');
  mkdirSync(folder);
  for (const name of ['one.txt', 'two "quoted".txt', 'drei\nZeilen.txt']) writeFileSync(join(folder, name), name);

  const first = await demo(folder);
  expect(first, first.stderr).toMatchObject({ code: 0 });
  expect(first.stdout).toMatch(/3 files/);
  expect(first.stdout).toMatch(/uploaded +3 /);
  expect(first.stdout + first.stderr).toMatch(/http:\/\/127\.0\.0\.1:\d+\/namespaces\/default\/workflows\/migrate/);
  expect(existsSync(join(scratch.path, '.cutover', 'processes.json'))).toBe(false);

  const second = await demo(folder);
  expect(second, second.stderr).toMatchObject({ code: 0 });
  expect(second.stdout + second.stderr).toMatch(/Nothing was uploaded/);
}, 120_000);
