import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig, processSource } from '../../src/config/index.ts';
import { type Stack, startStack } from '../../src/stack/stack.ts';

/** The command line as people start it, over a real Temporal, PostgreSQL and Supabase with one worker. */

const BIN = join(import.meta.dirname, '../../bin/cutover.js');
const AWKWARD = "na\"me, 'q' é\nline";
let cwd: string;
let stack: Stack | undefined;

/** Without what the machine that runs the tests may have set for other servers. */
const env = Object.fromEntries(Object.entries(processSource().env).filter(([name]) => !/^(CUTOVER|SUPABASE|TEMPORAL)_/.test(name)));

beforeAll(async () => {
  // In a folder of its own that the user postgres can reach.
  cwd = mkdtempSync(join(tmpdir(), 'cutover-cli-'));
  stack = await startStack({ config: loadConfig({ env, cwd }), env, cwd, workers: 1 });
  for (const [name, content] of Object.entries({ one: 'x', 'two.txt': 'some text', empty: '', [AWKWARD]: 'x' })) {
    mkdirSync(join(cwd, 'source'), { recursive: true });
    writeFileSync(join(cwd, 'source', name), content);
  }
}, 300_000);
afterAll(async () => {
  await stack?.stop();
  rmSync(cwd, { recursive: true, force: true });
}, 60_000);

interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

function start(args: readonly string[], extra: Record<string, string> = {}): { child: ChildProcess; ended: Promise<Ran> } {
  const child = spawn(process.execPath, [BIN, ...args], { cwd, env: { ...env, ...extra }, stdio: ['ignore', 'pipe', 'pipe'] });
  const ran = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      ran[name] += text;
    });
  return { child, ended: new Promise((resolve) => child.once('close', (code) => resolve({ code, ...ran }))) };
}
const cutover = (args: readonly string[], extra?: Record<string, string>): Promise<Ran> => start(args, extra).ended;
const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');

describe('cutover migrate', { timeout: 60_000 }, () => {
  it('says what it would do and does nothing, when it is asked to', async () => {
    const { code, stdout } = await cutover(['migrate', 'source', '--dry-run', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ upload: 3, there: 1, failed: 0 });
    expect((await cutover(['list', '--json'])).stdout).toBe('');
  });

  it('moves a folder, reports every file, and uploads nothing the second time', async () => {
    const first = await cutover(['migrate', 'source', '--report', 'r.csv', '--verify=download', '--id', 'first', '--json']);
    expect([first.code, first.stderr]).toEqual([0, expect.stringContaining('/namespaces/default/workflows/migrate%3Afirst')]);
    expect(JSON.parse(first.stdout)).toMatchObject({
      id: 'first',
      phase: 'done',
      totals: { listed: 4, uploaded: 3, deduplicated: 1, failed: 0 },
    });
    const rows = parse(readFileSync(join(cwd, 'r.csv')), { columns: true }) as Record<string, string>[];
    expect(new Map(rows.map(({ path, sha256: hash }) => [path, hash]))).toEqual(
      new Map([
        [AWKWARD, sha256('x')],
        ['empty', sha256('')],
        ['one', sha256('x')],
        ['two.txt', sha256('some text')],
      ]),
    );
    expect(rows.every(({ verified }) => verified === 'download')).toBe(true);

    const second = await cutover(['migrate', 'source']);
    expect([second.code, second.stdout]).toEqual([0, expect.stringContaining('Nothing was uploaded: 4 files were there already.')]);
  });

  it('tells which files failed and ends with 1', async () => {
    mkdirSync(join(cwd, 'broken'));
    writeFileSync(join(cwd, 'broken/fine'), 'fine');
    symlinkSync('/nowhere', join(cwd, 'broken/link'));
    const { code, stdout } = await cutover(['migrate', 'broken']);
    expect([code, stdout]).toEqual([1, expect.stringContaining('link is a link that leads nowhere')]);
  });

  it('goes on after Ctrl-C, which says how to come back, and can be paused, resumed and cancelled', async () => {
    // So many that it cannot end before it is cancelled, one at a time.
    mkdirSync(join(cwd, 'many'));
    for (let file = 0; file < 1000; file += 1) writeFileSync(join(cwd, 'many', `f${file}`), `content ${file}`);
    const status = async () => JSON.parse((await cutover(['migrate', 'status', 'long', '--json'])).stdout);
    const { child, ended } = start(['migrate', 'many', '--id', 'long', '--concurrency', '1']);
    while ((await cutover(['migrate', 'status', 'long'])).code !== 0) await sleep(100);
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ code: 130, stderr: expect.stringContaining('cutover migrate --attach long') });

    expect((await cutover(['migrate', 'pause', 'long', '--reason', 'lunch'])).code).toBe(0);
    const paused = await status();
    expect(paused).toMatchObject({ phase: 'paused', reason: 'lunch' });
    expect((await cutover(['migrate', 'resume', 'long'])).code).toBe(0);
    while ((await status()).totals.uploaded <= paused.totals.uploaded + 1) await sleep(100);

    expect((await cutover(['migrate', 'cancel', 'long', '--reason', 'enough'])).code).toBe(0);
    const cancelled = await cutover(['migrate', '--attach', 'long', '--json']);
    expect([cancelled.code, JSON.parse(cancelled.stdout)]).toMatchObject([1, { phase: 'cancelled', reason: 'enough' }]);
  });
});

describe('one file', { timeout: 60_000 }, () => {
  it('comes back byte for byte, to a file and to standard output', async () => {
    const content = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7919) % 256));
    writeFileSync(join(cwd, 'data.bin'), content);
    const uploaded = await cutover(['upload', 'data.bin', '--tag', 'a', '--user', 'u', '--json']);
    expect(JSON.parse(uploaded.stdout)).toMatchObject({ outcome: 'uploaded', sha256: sha256(content), sizeBytes: 300_000 });
    expect((await cutover(['download', sha256(content), '-o', 'back.bin'])).code).toBe(0);
    expect(sha256(readFileSync(join(cwd, 'back.bin')))).toBe(sha256(content));
    const piped = spawn(process.execPath, [BIN, 'download', 'data.bin', '-o', '-'], { cwd, env, stdio: ['ignore', 'pipe', 'inherit'] });
    const hash = createHash('sha256');
    for await (const chunk of piped.stdout) hash.update(chunk);
    expect(hash.digest('hex')).toBe(sha256(content));
  });

  it('is not overwritten where one is there, unless it is asked for', async () => {
    writeFileSync(join(cwd, 'precious'), 'mine');
    expect(await cutover(['download', 'data.bin', '-o', 'precious'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--force'),
    });
    expect(readFileSync(join(cwd, 'precious'), 'utf8')).toBe('mine');
    expect((await cutover(['download', 'data.bin', '-o', 'precious', '--force'])).code).toBe(0);
    expect(readFileSync(join(cwd, 'precious')).length).toBe(300_000);
    expect(readdirSync(cwd).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it('is not deleted without a yes, nor while others hold it', async () => {
    expect(await cutover(['delete', 'data.bin'])).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') });
    const held = await cutover(['delete', sha256('x'), '--yes']);
    expect(held).toMatchObject({ code: 2, stderr: expect.stringContaining('2 hold this file') });
    const [hold] = JSON.parse((await cutover(['info', sha256('x'), '--json'])).stdout).references;
    const kept = await cutover(['delete', sha256('x'), '--reference', hold.id, '--yes']);
    expect(kept).toMatchObject({ code: 0, stderr: expect.stringContaining('others hold it') });
    expect((await cutover(['download', sha256('x'), '-o', 'x'])).code).toBe(0);

    expect((await cutover(['delete', 'data.bin', '--yes', '--purge'])).code).toBe(0);
    expect((await cutover(['download', 'data.bin', '-o', 'gone'])).code).toBe(2);
    expect(existsSync(join(cwd, 'gone'))).toBe(false);
  });

  it('for a fast model is waited for beyond a caller’s limit, which is told once', async () => {
    for (const file of ['late 1', 'late 2']) writeFileSync(join(cwd, file), file);
    const nobodyServes = { TEMPORAL_TASK_QUEUE: `nobody-${Date.now()}`, CLIENT_TIMEOUT_SECONDS: '91', FAST_TIMEOUT_MULTIPLIER: '.01' };
    const { child, ended } = start(['upload', 'late 1', 'late 2', '--model', 'fast'], nobodyServes);
    let said = '';
    child.stderr?.on('data', (text: string) => {
      said += text;
      if (said.includes('Not done')) setTimeout(() => child.kill('SIGINT'), 500);
    });
    const { code, stderr } = await ended;
    expect([code, stderr.match(/Not done after 0\.9 s/g)]).toEqual([130, ['Not done after 0.9 s']]);
    expect(stderr).toMatch(/safe in Temporal.*npx cutover worker[\s\S]*Uploads that were started go on/);
  });

  it('is read back and made sure of under the limits of a kind of model', async () => {
    expect((await cutover(['download', 'two.txt', '-o', '-', '--model', 'fast'])).stdout).toBe('some text');
    expect((await cutover(['ensure', 'two.txt', '--model', 'thinking', '--json'])).stdout).toContain('"outcome":"there"');
  });

  it('that is missing is told by its name, and the others go on', async () => {
    const { code, stdout, stderr } = await cutover(['upload', 'source/two.txt', 'source/nope']);
    expect([code, stdout, stderr]).toEqual([1, expect.stringContaining('there already'), expect.stringMatching(/nope is not there/)]);
    expect((await cutover(['upload', 'source/nope'])).code).toBe(2);
  });
});

describe('what goes wrong', { timeout: 60_000 }, () => {
  it.each([
    [['migrat'], 2, 'Did you mean migrate?'],
    [['migrate', 'source', '--dryrun'], 2, 'Did you mean --dry-run?'],
    [['migrate', 'no/such/folder'], 2, 'no/such/folder'],
    [['migrate'], 2, 'Say what to migrate'],
    [['migrate', 'source', '--concurrency', '0'], 2, 'from 1 to 500'],
    [['migrate', 'source', '--report', 'no/such/r.csv'], 2, 'r.csv'],
    [['migrate', 'source', '--to', 'nowhere'], 2, 'There is no provider "nowhere"'],
    [['migrate', 'status', 'unknown'], 2, 'There is no migration unknown'],
    [['info', 'unknown'], 2, 'cutover list'],
    [['upload', 'source/two.txt', '--model', 'slow'], 2, 'Allowed choices are standard, thinking, fast'],
    [['ensure', 'two.txt', '--model', 'slow'], 2, 'Allowed choices are standard, thinking, fast'],
    [['download', 'two.txt', '--model', 'slow'], 2, 'Allowed choices are standard, thinking, fast'],
  ])('%j ends with %d and says what to do', async (args, code, message) => {
    const ran = await cutover(args);
    expect(ran).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(message) });
    expect(ran.stderr).not.toMatch(/^\s+at /m);
  });

  it.each([
    ['Temporal that cannot be reached', ['migrate', 'status', 'x'], { TEMPORAL_ADDRESS: '127.0.0.1:1' }, 'TEMPORAL_ADDRESS'],
    ['Supabase that cannot be reached', ['list'], { SUPABASE_URL: 'http://127.0.0.1:1', SUPABASE_SECRET_KEY: 'k' }, '127.0.0.1:1'],
    ['a wrong key', ['list'], { SUPABASE_URL: 'EMBEDDED', SUPABASE_SECRET_KEY: 'wrong-key' }, 'SUPABASE_SECRET_KEY'],
  ])('%s ends with 3, names the setting and shows no key', async (_, args, given: Record<string, string>, message) => {
    const settings = given.SUPABASE_URL === 'EMBEDDED' ? { ...given, SUPABASE_URL: stack?.supabase.url ?? '' } : given;
    const ran = await cutover(args, settings);
    expect(ran).toMatchObject({ code: 3, stderr: expect.stringContaining(message) });
    expect(ran.stderr).not.toContain('wrong-key');
  });

  it('in the configuration is told all at once, with 2', async () => {
    const ran = await cutover(['config', '--check'], { MAX_RETRY_ATTEMPTS: '99', CUTOVER_LOG_LEVEL: 'loud' });
    expect(ran).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/MAX_RETRY_ATTEMPTS[\s\S]*CUTOVER_LOG_LEVEL|CUTOVER_LOG_LEVEL[\s\S]*MAX_RETRY_ATTEMPTS/),
    });
  });
});
