import { setTimeout as sleep } from 'node:timers/promises';
import postgres, { type Sql } from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/index.ts';
import type { SweepItem } from '../../src/ledger/retention-ledger.ts';
import { connectStores, type Stores } from '../../src/manager/stores.ts';
import type { Stack } from '../../src/stack/stack.ts';
import { type Ran, startCommand } from '../support/command.ts';
import { readExposition } from '../support/exposition.ts';
import { fillLedger } from '../support/filled-ledger.ts';
import { freePort } from '../support/free-port.ts';
import { cleanEnv, scratchFolder, startOwnStack } from '../support/stack.ts';

/** `cutover retention`, `restore` and `hold` as an operator uses them, over a stack of its own with a worker process. */

const scratch = scratchFolder('sweep');
let stack: Stack;
let sql: Sql;
let stores: Stores;
let metricsPort: number;
beforeAll(async () => {
  metricsPort = await freePort();
  stack = await startOwnStack(scratch.path, { CUTOVER_METRICS_PORT: String(metricsPort) }, { workers: 1 });
  sql = postgres(stack.postgresUrl ?? '', { max: 2, onnotice() {} });
  stores = connectStores(loadConfig({ cwd: scratch.path, env: cleanEnv(scratch.path) }));
  await stores.provider('supabase').check(AbortSignal.timeout(30_000));
}, 120_000);
afterAll(async () => {
  await sql?.end({ timeout: 5 });
  await stack?.stop();
  scratch.remove();
});

const cutover = (...args: string[]): Promise<Ran> => startCommand(args, { cwd: scratch.path, env: cleanEnv(scratch.path) }).ended;
const fill = (prefix: string, expired: number, purgeable: number, kept = 3) =>
  fillLedger(sql, {
    ...{ files: expired + purgeable + kept, expired, purgeable },
    ...{ provider: 'supabase', account: stores.provider('supabase').account, prefix: `cutover/${prefix}` },
  });
const idOf = async (name: string): Promise<string> => (await sql`select id from files where original_name = ${name}`)[0]?.id;
const documents = <T>(text: string): T[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
const metrics = async () => readExposition(await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text());
const worker = () => stack.processes().find(({ name }) => name === 'worker-1')?.pid ?? 0;

describe('cutover retention', { timeout: 120_000 }, () => {
  it('has a schedule as soon as a worker runs, which is paused and resumed with a reason', async () => {
    await expect
      .poll(async () => (await cutover('retention', 'status')).stdout, { timeout: 30_000, interval: 500 })
      .toMatch(/Next sweep: \S+T00:00:00Z, in /);
    expect((await cutover('retention', 'pause', '--reason', 'the audit')).code).toBe(0);
    const { stdout } = await cutover('retention', 'status');
    expect(stdout).toMatch(/^Paused \(paused by \S+: the audit\): go on with/);
    process.kill(worker(), 'SIGKILL');
    await sleep(3_000);
    expect(JSON.parse((await cutover('retention', 'status', '--json')).stdout)).toMatchObject({ schedule: { paused: true }, runs: [] });
    expect((await cutover('doctor')).stdout).toMatch(/Retention\s+paused \(paused by \S+: the audit\); none has come to its end yet/);
    expect((await cutover('retention', 'resume')).code).toBe(0);
    expect(JSON.parse((await cutover('retention', 'status', '--json')).stdout)).toMatchObject({ schedule: { paused: false } });
  });

  it('lists what a sweep would do, does exactly that, and then nothing more', async () => {
    await fill('list', 4, 3);
    const dry = await cutover('retention', 'run', '--dry-run');
    expect(dry.code).toBe(0);
    expect(dry.stdout).toMatch(/^WHAT +WHY +WHERE +SIZE +FILE +NAME\nmark +expired +supabase +1000 B/);
    expect(dry.stdout).toMatch(/expired: 4 copies would be marked as deleted \(3.9 KiB\), 3 copies would be purged/);
    const planned = documents<SweepItem>((await cutover('retention', 'run', '--dry-run', '--json')).stdout).slice(0, -1);
    const real = await cutover('retention', 'run');
    expect([real.code, real.stdout]).toEqual([0, 'expired: 4 copies marked as deleted (3.9 KiB), 3 copies purged (2.9 KiB)\n']);
    const counted = await metrics();
    expect(counted.sum('cutover_sweep_files_total', { reason: 'expired', result: 'marked' })).toBe(4);
    expect(counted.sum('cutover_sweep_files_total', { reason: 'expired', result: 'purged' })).toBe(3);
    const [run] = await stores.retention.sweeps(1);
    const done = await stores.retention.sweepItems(run?.id ?? '', { after: null, limit: 100 });
    const what = (items: SweepItem[]) => items.map(({ action, reason, copyId }) => `${action} ${reason} ${copyId}`).sort();
    expect(what(planned)).toEqual(what(done));
    await expect
      .poll(async () => (await metrics()).sum('cutover_sweep_last_success_timestamp_seconds'), { timeout: 20_000, interval: 500 })
      .toBe(Date.parse(run?.endedAt ?? '') / 1000);
    const again = await cutover('retention', 'run', '--json');
    expect(JSON.parse(again.stdout)).toMatchObject({ status: 'completed', totals: [], dryRun: false });
    const { stdout } = await cutover('retention', 'status');
    expect(stdout).toMatch(/Waiting for their grace or a sweep: 4 copies\nSTARTED +TOOK +STATUS +EXPIRED/);
    expect((await cutover('doctor')).stdout).toMatch(/✓ Retention +the last one that came to its end began .* ago/);
  });

  it('is right after the worker was killed with -9 in the middle, and counts everything once', async () => {
    await fill('killed', 500, 1500);
    const running = startCommand(['retention', 'run', '--json'], { cwd: scratch.path, env: cleanEnv(scratch.path) });
    const purged = async () =>
      Number(
        (await sql`select count(*) from provider_file_uploads where purged_at is not null and provider_file_id like 'cutover/killed%'`)[0]
          ?.count,
      );
    await expect.poll(purged, { timeout: 60_000, interval: 20 }).toBeGreaterThan(0);
    process.kill(worker(), 'SIGKILL');
    expect(await purged()).toBeLessThan(1500);
    // Beside it another one is not started.
    const other = await cutover('retention', 'run', '--json');
    const ended = await running.ended;
    expect([ended.code, other.code]).toEqual([0, 0]);
    expect(JSON.parse(other.stdout).id).toBe(JSON.parse(ended.stdout).id);
    expect(JSON.parse(ended.stdout).totals).toMatchObject([
      { action: 'mark', reason: 'expired', outcome: 'done', copies: 500 },
      { action: 'purge', reason: 'expired', outcome: 'done', copies: 1500 },
    ]);
    expect(await purged()).toBe(1500);
    expect(await sql`select count(*)::int as leased from provider_file_uploads where lease_owner is not null`).toEqual([{ leased: 0 }]);
    expect(JSON.parse((await cutover('retention', 'run', '--json')).stdout).totals).toEqual([]);
  });

  it('is stopped when asked to, and says so', async () => {
    // More than a sweep is done with while three commands start.
    await fill('stopped', 0, 4000);
    const running = startCommand(['retention', 'run'], { cwd: scratch.path, env: cleanEnv(scratch.path) });
    await expect
      .poll(async () => (await cutover('retention', 'status')).stdout, { timeout: 60_000, interval: 100 })
      .toMatch(/Running now: retention-sweep:/);
    expect((await cutover('retention', 'stop', '--reason', 'enough')).stderr).toMatch(/Asked to stop: retention-sweep:/);
    const { code, stderr } = await running.ended;
    expect([code, stderr]).toEqual([1, expect.stringContaining('It was stopped: enough.')]);
    expect((await cutover('retention', 'stop')).stderr).toBe('No sweep runs.\n');
    expect((await cutover('retention', 'run')).code).toBe(0);
    expect((await stores.retention.retentionState()).waiting).toBe(504);
  });
});

describe('copies whose provider drops them by itself', { timeout: 60_000 }, () => {
  it('go soon before, unless somebody keeps them: these are told of, until they are made again', async () => {
    await fill('ends', 2, 0, 2);
    await sql`update files set accessed_at = now() - interval '2 days' where original_name like 'cutover/ends-%'`;
    await sql`update provider_file_uploads set provider = 'gemini', account = 'gone', completed_at = now() - interval '47 hours', expires_at = now() + interval '1 hour'
      where file_id in (select id from files where original_name like 'cutover/ends-%')`;
    const id = await idOf('cutover/ends-3');
    await sql`update provider_file_uploads set expires_at = now() - interval '1 hour' where file_id = ${id}`;
    const told = [
      /warning: (the last sweep: )?1 copy that somebody keeps or has just read, the first within (1 h|60 min|59 min).*, will be dropped by gemini/,
      /warning: (the last sweep: )?1 copy that somebody keeps or has just read was dropped by gemini: .*npx cutover ensure/,
    ];
    const dry = await cutover('retention', 'run', '--dry-run');
    expect(dry.stdout).toMatch(/quota: 2 copies would be marked as deleted \(2.0 KiB\)\n$/);
    const real = await cutover('retention', 'run');
    expect(real.stdout).toBe('quota: 2 copies marked as deleted (2.0 KiB)\n');
    const status = await cutover('retention', 'status');
    for (const { stderr } of [dry, real, status]) for (const line of told) expect(stderr).toMatch(line);
    await sql`update file_references set keep = 'expire' where file_id in (select id from files where original_name like 'cutover/ends-%')`;
    expect((await cutover('retention', 'run')).stdout).toMatch(/^quota: 2 copies marked/);
    expect(await cutover('retention', 'run')).toMatchObject({ code: 0, stdout: 'Nothing was due.\n' });
    expect((await cutover('retention', 'status')).stderr).toBe('');
    const late = await cutover('restore', id);
    expect([late.code, late.stderr]).toEqual([
      1,
      expect.stringMatching(/It is too late: the object of .* was dropped by gemini itself at /),
    ]);
    expect((await cutover('restore', 'cutover/ends-1')).stderr).toMatch(/^Restored cutover\/ends-1/);
  });
});

describe('cutover restore and cutover hold', { timeout: 60_000 }, () => {
  it('take a deletion back within the grace, and say when it is too late', async () => {
    await fill('back', 1, 1, 1);
    await cutover('retention', 'run');
    const [gone, marked, kept] = [await idOf('cutover/back-1'), await idOf('cutover/back-2'), await idOf('cutover/back-3')];
    expect((await cutover('restore', marked)).stderr).toBe(`Restored cutover/back-2 (${marked}): 1 copy at supabase.\n`);
    expect(JSON.parse((await cutover('retention', 'run', '--json')).stdout).totals).toEqual([]);
    const late = await cutover('restore', gone);
    expect([late.code, late.stderr]).toEqual([1, expect.stringMatching(/It is too late: the object of .* at supabase was removed at /)]);
    const never = await cutover('restore', kept);
    expect([never.code, never.stderr]).toEqual([2, expect.stringContaining(`The file ${kept} is not deleted`)]);
    expect((await cutover('restore', 'no such file')).code).toBe(2);
  });

  it('keep a file from every sweep until it is released, with an audit', async () => {
    await fill('held', 1, 0, 0);
    const id = await idOf('cutover/held-1');
    expect((await cutover('hold', id, '--reason', 'case 7')).stderr).toMatch(
      /^On hold: cutover\/held-1 .*1 copy\. Nothing deletes it until/,
    );
    expect((await cutover('delete', id, '--yes')).stderr).toMatch(/legal hold: release it first/);
    expect(JSON.parse((await cutover('retention', 'run', '--json')).stdout).totals).toEqual([]);
    const released = JSON.parse((await cutover('hold', id, '--release', '--json')).stdout);
    expect(released).toMatchObject({
      fileId: id,
      hold: false,
      copies: 1,
      history: [
        { hold: true, reason: 'case 7' },
        { hold: false, reason: null },
      ],
    });
    expect(JSON.parse((await cutover('retention', 'run', '--json')).stdout).totals).toMatchObject([{ action: 'mark', copies: 1 }]);
  });
});

it.each([
  [['retention', 'run', '--limit', '3'], /unknown option/],
  [['retention', 'status', '--limit', '0'], /whole number from 1 to 1000/],
  [['hold'], /missing required argument/],
])('cutover %j is refused and says why', async (args, message) => {
  const { code, stderr, stdout } = await cutover(...args);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(message);
});
