import { randomBytes, randomUUID } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { connectClient } from '../../src/client/cutover-client.ts';
import { loadConfig } from '../../src/config/index.ts';
import { type Ran, startCommand } from '../support/command.ts';
import { canMountSmallDisk, mountSmallDisk } from '../support/small-disk.ts';
import { cleanEnv, scratchFolder } from '../support/stack.ts';

/** What goes wrong while it runs, as people meet it: a clear message, an exit code, and nothing left behind. */

const MIB = 1024 * 1024;
const name = `bad-${randomUUID().slice(0, 8)}`;
const folder = scratchFolder('bad-input');
const env = () =>
  cleanEnv(folder.path, {
    TEMPORAL_ADDRESS: inject('temporal').address,
    TEMPORAL_TASK_QUEUE: name,
    SUPABASE_URL: inject('supabase').url,
    SUPABASE_SECRET_KEY: inject('supabase').secretKey,
    SUPABASE_BUCKET: name,
  });
const start = (args: readonly string[], extra: Record<string, string> = {}) =>
  startCommand(args, { cwd: folder.path, env: { ...env(), ...extra } });
const cutover = (args: readonly string[], extra?: Record<string, string>): Promise<Ran> => start(args, extra).ended;

/** Waits for what a worker logs once it takes tasks. */
async function startWorker(extra: Record<string, string> = {}) {
  const worker = start(['worker'], extra);
  while (!worker.said.stderr.includes('"ready"')) {
    if (worker.child.exitCode !== null) throw new Error(`the worker ended: ${worker.said.stderr}`);
    await sleep(50);
  }
  return async () => {
    worker.child.kill('SIGTERM');
    await worker.ended;
  };
}

let stopWorker: (() => Promise<void>) | undefined;
beforeAll(async () => {
  stopWorker = await startWorker();
}, 60_000);
afterAll(async () => {
  await stopWorker?.();
  folder.remove();
}, 60_000);

function put(path: string, content: string | Uint8Array): string {
  const absolute = join(folder.path, path);
  mkdirSync(join(absolute, '..'), { recursive: true });
  writeFileSync(absolute, content);
  return absolute;
}

describe('a file', { timeout: 60_000 }, () => {
  it('that vanishes during the run is named, and the others arrive, also one that has other content by then', async () => {
    // So many that the last ones are not reached before they are touched, one at a time.
    for (let file = 0; file < 40; file += 1) put(`changing/f${file}`, `file ${file} of ${name}`);
    const vanishing = put('changing/z vanishes', 'here');
    const changing = put('changing/z changes', 'before');
    const id = `${name}-vanish`;
    expect((await cutover(['migrate', 'changing', '--id', id, '--concurrency', '1', '--detach'])).code).toBe(0);
    const client = await connectClient(loadConfig({ env: env(), cwd: folder.path }));
    while ((await client.migrationStatus(id)).totals.listed !== 42) await sleep(20);
    await client.close();
    rmSync(vanishing);
    const after = `after, and longer: ${name}`;
    writeFileSync(changing, after);

    const { code, stdout } = await cutover(['migrate', '--attach', id]);
    expect([code, stdout]).toEqual([1, expect.stringMatching(/z vanishes: .*z vanishes is not there \(any more\)/)]);
    expect((await cutover(['download', join('z changes'), '-o', '-'])).stdout).toBe(after);
    expect((await cutover(['migrate', 'status', id, '--json'])).stdout).toContain('"failed":1');
  });

  it.each([
    ['grows', (file: number) => writeSync(file, 'x', null)],
    ['is written over in place', (file: number) => writeSync(file, randomBytes(8), 0, 8, 0)],
  ])('that %s all the time is reported as changing, and no copy of it stays', async (how, write) => {
    const path = put(`busy/${how}`, randomBytes(24 * MIB));
    const file = openSync(path, how === 'grows' ? 'a' : 'r+');
    const writer = setInterval(() => write(file), 2);
    try {
      const { code, stderr } = await cutover(['upload', path]);
      expect([code, stderr]).toEqual([1, expect.stringMatching(/chang/)]);
      expect(stderr).not.toMatch(/^\s+at /m);
    } finally {
      clearInterval(writer);
      closeSync(file);
    }
    expect((await cutover(['info', how])).code).toBe(2);
  });
});

describe('a wrong key', { timeout: 60_000 }, () => {
  it('of a worker ends the migration with 3, names the setting, and shows no key', async () => {
    put('keyed/file', 'x');
    const other = { TEMPORAL_TASK_QUEUE: `${name}-key`, SUPABASE_SECRET_KEY: 'sb_secret_of-another-project' };
    const stop = await startWorker(other);
    try {
      const { code, stdout, stderr } = await cutover(['migrate', 'keyed'], other);
      expect([code, stderr]).toEqual([3, expect.stringContaining('SUPABASE_SECRET_KEY')]);
      expect(stdout + stderr).not.toContain('another-project');
    } finally {
      await stop();
    }
  });
});

describe('Temporal that cannot be reached', { timeout: 60_000 }, () => {
  it.each([[['migrate', 'keyed']], [['upload', 'keyed/file']], [['worker']]])('ends %j with 3 and names the setting', async (args) => {
    put('keyed/file', 'x');
    const { code, stdout, stderr } = await cutover(args, { TEMPORAL_ADDRESS: '127.0.0.1:1' });
    expect([code, stdout + stderr]).toEqual([3, expect.stringContaining('TEMPORAL_ADDRESS')]);
    expect(stdout + stderr).not.toMatch(/^\s+at /m);
  });
});

const mountable = canMountSmallDisk();
if (!mountable) console.log('Not run: what happens on a full disk. It needs root and permission to mount a tmpfs.');
describe.runIf(mountable)('a full disk', { timeout: 60_000 }, () => {
  let disk: ReturnType<typeof mountSmallDisk> = null;
  let path = '';
  beforeAll(() => {
    disk = mountSmallDisk(8);
    path = disk?.path ?? '';
  });
  afterAll(() => disk?.remove());

  it('under a download is told with its path, and no part of the file stays', async () => {
    const source = put('large.bin', randomBytes(12 * MIB));
    expect((await cutover(['upload', source])).code).toBe(0);
    const { code, stderr } = await cutover(['download', 'large.bin', '-o', join(path, 'back.bin')]);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/back\.bin could not be written: no space left/)]);
    expect(readdirSync(path)).toEqual([]);
  });

  it('under the state folder is refused before anything starts, with the size that is needed', async () => {
    const { code, stderr } = await cutover(['up'], {
      CUTOVER_STATE_DIR: join(path, 'state'),
      TEMPORAL_ADDRESS: '',
      SUPABASE_URL: '',
      SUPABASE_SECRET_KEY: '',
    });
    expect([code, stderr]).toEqual([2, expect.stringMatching(/Only [\d.]+ \w+ are free in .*CUTOVER_STATE_DIR/)]);
    expect(readdirSync(path, { recursive: true }).filter((left) => !/^state(\/logs)?$/.test(String(left)))).toEqual([]);
  });
});
