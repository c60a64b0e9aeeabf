import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient } from '@supabase/supabase-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readDotenv } from '../../src/config/layers.ts';
import { scratchFolder } from '../support/stack.ts';
import { isRunning, nothingLeft, processesOf, spawnUp, statusOf, type Up } from '../support/up.ts';

/** kill -9 of everything that can be killed. */

let folder: ReturnType<typeof scratchFolder>;
const ups: Up[] = [];
beforeEach(() => {
  folder = scratchFolder('killed');
});
afterEach(async () => {
  for (const up of ups.splice(0)) {
    up.child.kill('SIGTERM');
    await up.exit;
  }
  await nothingLeft(folder.path);
  folder.remove();
});

async function up(): Promise<Up> {
  const started = spawnUp(folder.path);
  ups.push(started);
  await Promise.race([
    statusOf(folder.path, isRunning),
    started.exit.then(() => {
      throw new Error(`cutover up ended: ${started.said()}`);
    }),
  ]);
  return started;
}

const pids = async () =>
  Object.fromEntries((await statusOf(folder.path, () => true)).services.map(({ name, pid }) => [name, pid as number]));

/** A row that only a database that lost nothing still has. */
async function supabase() {
  const { SUPABASE_URL = '', SUPABASE_SECRET_KEY = '' } = readDotenv(join(folder.path, 'stack.env'));
  return createClient(SUPABASE_URL, SUPABASE_SECRET_KEY);
}

const combinations = [['temporal'], ['postgres'], ['supabase'], ['postgres', 'supabase'], ['temporal', 'postgres', 'supabase']];

test('a service that is killed comes back by itself, alone and with others, and nothing is lost', { timeout: 120_000 }, async () => {
  await up();
  const { data } = await (await supabase()).storage.createBucket('kept');
  expect(data?.name).toBe('kept');
  for (const names of combinations) {
    const before = await pids();
    for (const name of names) process.kill(before[name] as number, 'SIGKILL');
    await statusOf(
      folder.path,
      (status) => isRunning(status) && names.every((name) => status.services.find((s) => s.name === name)?.pid !== before[name]),
    );
    // Losing the database restarts Lite a moment later.
    await expect
      .poll(async () => (await (await supabase()).storage.getBucket('kept')).data?.name, { timeout: 15_000, interval: 100 })
      .toBe('kept');
    await statusOf(folder.path, isRunning);
  }
});

test('when the supervisor is killed, a helper stops everything and removes what is half done', { timeout: 60_000 }, async () => {
  const { child, exit } = await up();
  mkdirSync(join(folder.path, 'objects', 'ab'), { recursive: true });
  writeFileSync(join(folder.path, 'objects', 'ab', 'half.tmp'), 'half an upload');
  child.kill('SIGKILL');
  await exit;
  ups.length = 0;
  await nothingLeft(folder.path);
  expect(existsSync(join(folder.path, 'stack.env'))).toBe(false);
  await up();
  expect(existsSync(join(folder.path, 'objects', 'ab', 'half.tmp'))).toBe(false);
});

test('when the supervisor and its helper are killed, the next start stops what they left and goes on with the data', {
  timeout: 60_000,
}, async () => {
  const { child, exit } = await up();
  await (await supabase()).storage.createBucket('kept');
  const helpers = processesOf(folder.path)
    .filter((line) => line.includes('cat >/dev/null'))
    .map((line) => Number.parseInt(line, 10));
  expect(helpers.length).toBeGreaterThan(0);
  const before = await pids();
  child.kill('SIGSTOP');
  for (const pid of helpers) process.kill(-pid, 'SIGKILL');
  child.kill('SIGKILL');
  await exit;
  ups.length = 0;
  expect(processesOf(folder.path).length).toBeGreaterThan(0);
  const next = await up();
  expect(next.said()).toContain('Stopped what a killed stack had left running:');
  expect(Object.values(await pids())).not.toContain(before.temporal);
  expect((await (await supabase()).storage.getBucket('kept')).data?.name).toBe('kept');
});
