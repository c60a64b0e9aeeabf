import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { loadConfig } from '../../src/config/index.ts';
import { managerOf } from '../../src/manager/manager-of.ts';
import { startCommand } from '../support/command.ts';
import { type Running, runCutover } from '../support/cutover.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { runCommand } from '../support/in-process-command.ts';
import { type KimiServer, startKimiServer } from '../support/kimi-server.ts';
import { callOver, connectMcp, type McpSession } from '../support/mcp.ts';
import { createStorageServer, STORAGE } from '../support/mcp-storage-server.ts';
import { type Scratch, scratchWith } from '../support/scratch.ts';
import { envBeside } from '../support/serve.ts';

/** The tools through the protocol, beside the commands, over one worker; and `cutover mcp` as a client starts it. */

const TOOL = 'by_model';
const PROMPT_BYTES = 150;
let proxy: FaultProxy;
let kimi: KimiServer;
const storage = createStorageServer();
let listening: Awaited<ReturnType<typeof storage.listen>>;
let scratch: Scratch;
let running: Running;
let env: Record<string, string | undefined>;
let session: McpSession;
let call: McpSession['call'];

beforeAll(async () => {
  proxy = await startFaultProxy(inject('supabase').url);
  kimi = await startKimiServer();
  listening = await storage.listen('token-of-the-storage-1');
  scratch = scratchWith('mcp-config');
  const server = { url: listening.url, headers: { authorization: `Bearer \${STORAGE_TOKEN}` } };
  const setUp = scratch.put('mcp_config.json', JSON.stringify({ storage: { ...STORAGE, server, maxFileMb: 2 } }));
  const settings = {
    ...{ KIMI_API_KEY: kimi.apiKey, KIMI_BASE_URL: `${kimi.url}/v1`, SUPABASE_URL: proxy.url },
    ...{ CUTOVER_TOOLS: TOOL, ENABLE_UNIFIED_MANAGER: 'true', ENABLE_BY_MODEL_MIGRATION: 'true' },
    MCP_MAX_PROMPT_BYTES: String(PROMPT_BYTES),
    ...{ MCP_CONFIG: setUp, STORAGE_TOKEN: 'token-of-the-storage-1' },
  };
  running = await runCutover(settings);
  // The root of the tools is the folder above: what holds secrets is kept from them.
  env = envBeside(running, { ...settings, CUTOVER_STATE_DIR: join(running.folder, '.cutover') });
  const config = loadConfig({ env, cwd: running.folder });
  const services = { client: async () => ({ ...running.client, close: async () => undefined }), stores: async () => running.stores };
  session = await connectMcp(() => ({ config, services: { ...services, close: async () => undefined } }), { cwd: running.folder });
  call = session.call;
});
afterAll(async () => {
  await session?.close();
  await running?.stop();
  await kimi?.close();
  await listening?.close();
  scratch?.remove();
  await proxy?.close();
});

/** What the command says with `--json`: a document for each line. */
async function command(...argv: string[]): Promise<unknown[]> {
  const { code, stdout, stderr } = await runCommand([...argv, '--json'], { env, cwd: running.folder });
  expect(code, stderr).toBe(0);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}
/** Uploads of this storage's objects take so long, until the function is called. */
const slowly = (ms: number) =>
  proxy.always(({ method, path }) => method === 'POST' && path.startsWith('/storage/v1/object/'), { kind: 'delay', ms });

const freshText = () => `text ${randomUUID()}`;
async function uploaded(name: string, content = freshText()): Promise<string> {
  running.put(name, content);
  const { data, text, isError } = await call('upload_file', { path: name });
  expect(isError, text).toBe(false);
  return (data.result as { fileId: string }).fileId;
}

describe('the tools for files', { timeout: 60_000 }, () => {
  it('upload, look at, download, hold, delete and restore a file, as the commands do', async () => {
    const name = `report-${randomUUID()}.txt`;
    const content = freshText();
    const progress: string[] = [];
    running.put(name, content);
    const { data } = await call('upload_file', { path: name, tag: ['a'] }, { progress });
    const fileId = (data.result as { fileId: string }).fileId;
    expect(data).toMatchObject({
      status: 'done',
      comeBack: null,
      result: { outcome: 'uploaded', provider: 'supabase', sizeBytes: content.length },
    });
    expect(progress[0]).toMatch(/The upload runs as upload:\S+ the same call of upload_file waits for it/);
    expect(await command('upload', name, '--tool', 'mcp', '--tag', 'a')).toMatchObject([{ outcome: 'deduplicated', fileId }]);

    const info = await call('get_file_info', { file: name });
    const [told] = (await command('info', name)) as [Record<string, unknown>];
    const { copies, references, ...file } = told;
    expect(info.data).toEqual({ file, copies, references, referencesInAll: 1 });
    expect(info.data.references).toMatchObject([{ tool: 'mcp', name, tags: ['a'] }]);

    expect((await call('download_file', { file: name })).text).toMatch(
      /is there already\. Use `force` to overwrite it, or `path` for another name/,
    );
    expect((await call('download_file', { file: name, path: 'copy.txt' })).data).toMatchObject({ fileId, sizeBytes: content.length });
    expect(readFileSync(join(running.folder, 'copy.txt'), 'utf8')).toBe(content);

    expect((await call('hold_file', { file: fileId, reason: 'audit' })).data).toMatchObject({
      hold: true,
      copies: 1,
      history: [{ setBy: 'ann via MCP', reason: 'audit' }],
    });
    expect((await call('delete_file', { file: fileId, confirm: fileId })).text).toMatch(
      /on legal hold: release it first\n\(code legal_hold/,
    );
    await call('hold_file', { file: fileId, release: true });

    const asked = await call('delete_file', { file: name });
    expect([asked.isError, asked.text]).toEqual([true, expect.stringContaining(`call again with confirm: "${fileId}"`)]);
    expect((await call('get_file_info', { file: fileId })).data.referencesInAll).toBe(1);
    expect((await call('delete_file', { file: name, confirm: fileId, reason: 'wrong one' })).data).toMatchObject({
      references: 1,
      copies: 1,
      purged: 0,
    });
    expect((await call('restore_file', { file: fileId })).data).toMatchObject({ fileId, restored: [{ provider: 'supabase' }] });
    expect((await call('restore_file', { file: fileId })).text).toMatch(/is not deleted/);
  });

  it('say who holds a file that several hold, and give up the hold that is named', async () => {
    const name = `shared-${randomUUID()}.txt`;
    const fileId = await uploaded(name);
    await call('upload_file', { path: name, user: 'bob' });
    const { text, isError } = await call('delete_file', { file: fileId, confirm: fileId });
    expect([isError, text]).toEqual([
      true,
      expect.stringMatching(/2 hold this file\. Give up one hold with `reference` ID, or every one with `all`:/),
    ]);
    const [, bobs] = /(\S+) {2}mcp, user bob/.exec(text) ?? [];
    const { data } = await call('delete_file', { file: fileId, reference: [bobs], confirm: fileId });
    expect(data).toMatchObject({ references: 1, copies: 0, heldBy: [{ userId: null }] });
  });

  it('list the same files as the command, in as many pages as the limit asks for', async () => {
    const fileId = await uploaded(`listed-${randomUUID()}.txt`);
    const all = (await command('list')) as { id: string }[];
    const listed: unknown[] = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const { data } = await call('list_files', { limit: 200, ...(cursor === undefined ? {} : { cursor }) });
      listed.push(...(data.files as unknown[]));
      cursor = data.next as string | null;
    }
    // Other tests use the same ledger at the same time.
    const mine = ({ id }: { id: string }) => id === fileId;
    expect((listed as { id: string }[]).filter(mine)).toEqual(all.filter(mine));
    expect((listed as { id: string }[]).map(({ id }) => id)).toEqual((listed as { id: string }[]).map(({ id }) => id).toSorted());
    expect((await call('list_files', { cursor: 'x' })).text).toMatch(/must be the `next` of an answer of list_files/);
  });

  it('touch nothing outside of the root, also through a link', async () => {
    const fileId = await uploaded(`inside-${randomUUID()}.txt`);
    symlinkSync('/etc/hostname', join(running.folder, 'link'));
    for (const args of [{ path: '/etc/hostname' }, { path: '../x' }, { path: 'link' }])
      expect((await call('upload_file', args)).text).toMatch(/is outside of the folders that this server may use/);
    expect((await call('download_file', { file: fileId, path: '/tmp/stolen.txt' })).text).toMatch(/outside of the folders/);
    expect((await call('download_file', { file: fileId, path: 'link', force: true })).text).toMatch(/outside of the folders/);
    expect((await call('start_migration', { source: '/etc' })).text).toMatch(/outside of the folders/);
    mkdirSync(join(running.folder, 'with-link'));
    running.put('with-link/a.txt', freshText());
    symlinkSync('/etc/hostname', join(running.folder, 'with-link/b.txt'));
    expect((await call('start_migration', { source: 'with-link' })).text).toMatch(/^\/etc\/hostname is outside/);
    running.put('outside.csv', 'path\n/etc/hostname\n');
    expect((await call('start_migration', { source: 'outside.csv' })).text).toMatch(/outside of the folders/);
  });

  it('give small texts inline up to what a prompt may take, and upload the rest to the provider that suits it', async () => {
    running.put('first.txt', 'a'.repeat(100));
    running.put('second.txt', 'b'.repeat(100));
    const third = 'see npx cutover list --force'.padEnd(40, 'c');
    running.put('third.txt', third);
    const { data, text } = await call('handle_files', { paths: ['first.txt', 'second.txt', 'third.txt', 'missing.txt', '/etc/hostname'] });
    expect(data.files).toMatchObject([
      { action: 'inline', text: 'a'.repeat(100) },
      {
        action: 'upload',
        text: null,
        result: { provider: 'kimi' },
        reason: expect.stringContaining('the 50 bytes that are left for this prompt (MCP_MAX_PROMPT_BYTES)'),
      },
      { action: 'inline', text: third },
      { action: 'failed', reason: expect.stringContaining('missing.txt') },
      { action: 'failed', reason: expect.stringContaining('outside of the folders') },
    ]);
    expect(text).toContain('third.txt: its text is block 3 of this answer');
    expect(text.split('\n').slice(-2)).toEqual(['a'.repeat(100), third]);
    expect((await call('upload_file', { path: 'third.txt', to: 'auto', purpose: 'extract' })).data).toMatchObject({
      ...{ status: 'done', result: { provider: 'kimi' }, reason: expect.stringMatching(/^kimi: it takes/) },
    });
  });

  it('leave an upload running when the call is cancelled or has waited long enough; the same call finds it', async () => {
    const name = `slow-${randomUUID()}.txt`;
    const path = running.put(name, freshText());
    const fast = slowly(4000);
    const cancelled = new AbortController();
    const progress: string[] = [];
    const waiting = call('upload_file', { path }, { signal: cancelled.signal, progress });
    waiting.catch(() => undefined);
    await expect.poll(() => progress.length).toBeGreaterThan(0);
    cancelled.abort('enough');
    await expect(waiting).rejects.toThrow();
    await expect.poll(() => session.lines.at(-1)).toMatchObject({ message: 'tool cancelled', fields: { goesOn: progress[0] } });

    const late = await call('upload_file', { path, wait_seconds: 1 });
    expect(late.data).toMatchObject({ status: 'running', result: null, comeBack: expect.stringContaining('same call') });
    expect(progress[0]).toContain(late.data.workflowId as string);
    const done = await call('upload_file', { path });
    fast();
    expect(done.data).toMatchObject({ status: 'done', workflowId: late.data.workflowId, result: { outcome: 'uploaded' } });
  });

  it('reach a storage by way of another MCP server: a file goes there, comes back, and is refused where it is too large', async () => {
    const content = freshText();
    const path = running.put('away.txt', content);
    const { data, text } = await call('upload_file', { path, to: 'mcp', verify: 'download' });
    expect(data, text).toMatchObject({ status: 'done', result: { outcome: 'uploaded', provider: 'mcp', verified: 'download' } });
    const { fileId, providerFileId } = data.result as { fileId: string; providerFileId: string };
    expect(storage.files.get(providerFileId)?.content.toString()).toBe(content);
    await call('download_file', { file: fileId, path: 'back.txt' });
    expect(readFileSync(join(running.folder, 'back.txt'), 'utf8')).toBe(content);
    expect((await call('list_providers', { name: 'mcp' })).data.providers).toMatchObject([
      { available: true, maxFileBytes: 2 * 1024 * 1024 },
    ]);
    running.put('large.bin', Buffer.alloc(2 * 1024 * 1024 + 1, randomUUID()));
    expect((await call('upload_file', { path: 'large.bin', to: 'mcp' })).text).toMatch(/\(code file_too_large/);
  });

  it('say which id works now, as the command does', async () => {
    const fileId = await uploaded(`ensured-${randomUUID()}.txt`);
    const { data } = await call('ensure_file', { file: fileId });
    const [told] = await command('ensure', fileId);
    const { operationId: _, ...ensured } = told as Record<string, unknown>;
    expect(data).toEqual({ status: 'done', comeBack: null, ensured });
    expect((await call('ensure_file', { file: fileId, to: 'nowhere' })).text).toMatch(/nowhere.*kimi, mcp, supabase/s);
    expect((await call('get_file_info', { file: 'nobody knows' })).text).toMatch(/See them with: the tool list_files/);
  });

  it('say the same of providers as the command, and of buckets what was made of them', async () => {
    const { data } = await call('list_providers', { check: false });
    const told = (await command('providers', '--no-check')) as { name: string; configured?: boolean }[];
    expect((data.providers as { name: string }[]).map(({ name }) => name)).toEqual(
      told.filter((one) => one.configured !== false).map(({ name }) => name),
    );
    expect(data.unconfigured).toContainEqual({ name: 's3', variable: 'S3_BUCKET' });
    expect((await call('list_providers', { name: 'kimi' })).data.providers).toMatchObject([{ name: 'kimi', available: true }]);

    const name = `mcp-${randomUUID().slice(0, 8)}`;
    expect((await call('create_bucket', { name, max_file_size: 1000 })).data).toMatchObject({
      bucket: { name, public: false, maxFileBytes: 1000 },
    });
    expect((await call('update_bucket', { name, max_file_size: null, public: true })).data).toMatchObject({
      bucket: { public: true, maxFileBytes: null },
    });
    expect((await call('update_bucket', { name })).text).toMatch(/Say what to change: `public`, `max_file_size` or `mime_type`/);
    expect((await call('list_buckets')).data.buckets).toEqual(
      expect.arrayContaining((await command('buckets', 'list')).filter((one) => (one as { name: string }).name === name)),
    );
    expect((await call('empty_bucket', { name })).text).toMatch(new RegExp(`has 0 objects .*confirm: "${name}"`));
    expect((await call('empty_bucket', { name, confirm: name })).data).toMatchObject({ files: 0, copies: 0 });
    const own = running.config.supabase.bucket;
    expect((await call('empty_bucket', { name: own, confirm: own })).text).toMatch(
      /The ledger counts on \d+ files? in the bucket .* `force` empties it all the same/,
    );
    expect((await call('delete_bucket', { name: own, confirm: own })).text).toMatch(
      new RegExp(`Empty it first: the tool empty_bucket \\(${own} \`provider\` supabase\\)`),
    );
    expect((await call('delete_bucket', { name })).text).toContain(`confirm: "${name}"`);
    expect((await call('delete_bucket', { name, confirm: name })).isError).toBe(false);
  });
});

describe('the tools for rollouts and shadowing', { timeout: 60_000 }, () => {
  it('start, pause, resume, promote and roll back a rollout, and tell what the commands tell', async () => {
    expect((await call('start_rollout', { tool: 'banana' })).text).toMatch(
      /no tool "banana"; there are: kimi, smart_handler, supabase, by_model/,
    );
    expect((await call('pause_rollout', { tool: TOOL })).text).toMatch(/no rollout of by_model that is running/);
    expect((await call('get_rollout_history', { tool: TOOL })).text).toMatch(/Start one with: the tool start_rollout \(by_model\)/);
    const started = await call('start_rollout', { tool: TOOL, steps: [5, 50], bake_minutes: 60, evaluation_seconds: 1, reason: 'first' });
    expect(started.data).toMatchObject({ tool: TOOL, steps: [5, 50], bakeMs: 3_600_000, workflowId: `rollout:${TOOL}` });
    expect((await call('start_rollout', { tool: TOOL })).text).toMatch(/is under way: look at it with the tool get_rollout_status/);
    const status = async () =>
      (
        (await call('get_rollout_status', { tool: TOOL })).data.rollouts as {
          share: number;
          status: string;
          progress: { pauses: string[] };
        }[]
      )[0];
    await expect.poll(status, { timeout: 20_000 }).toMatchObject({ share: 5, status: 'running' });
    await call('pause_rollout', { tool: TOOL, reason: 'deploy' });
    await expect.poll(status, { timeout: 20_000 }).toMatchObject({ status: 'paused', progress: { pauses: ['deploy'] } });
    await call('resume_rollout', { tool: TOOL });
    await call('promote_rollout', { tool: TOOL, reason: 'approved' });
    await expect.poll(status, { timeout: 20_000 }).toMatchObject({ share: 50 });
    const back = await call('rollback_rollout', { tool: TOOL, reason: 'incident' });
    expect(back.data).toMatchObject({ nothing: null, rollout: { status: 'rolled_back', share: 0, reason: 'incident' } });
    expect((await call('rollback_rollout', { tool: TOOL })).data.nothing).toMatch(/rolled back already/);

    const { data } = await call('get_rollout_history', { tool: TOOL });
    const events = data.events as { id: number; decision: string; decidedBy: string }[];
    expect(events.map(({ decision }) => decision).filter((decision) => decision !== 'held')).toEqual([
      ...['started', 'paused', 'resumed', 'promoted', 'went_on', 'rolled_back'],
    ]);
    expect(
      new Set(events.filter(({ decision }) => decision !== 'held' && decision !== 'went_on').map(({ decidedBy }) => decidedBy)),
    ).toEqual(new Set(['ann via MCP']));
    expect(((await command('rollout', 'history', TOOL)) as { id: number }[]).map(({ id }) => id)).toEqual(events.map(({ id }) => id));
    const first = await call('get_rollout_history', { tool: TOOL, limit: 2 });
    const rest = await call('get_rollout_history', { tool: TOOL, cursor: first.data.next });
    expect([...(first.data.events as unknown[]), ...(rest.data.events as unknown[])]).toEqual(events);
    expect(await command('rollout', 'status', TOOL)).toMatchObject([{ ...(await status()), progress: null }]);
  });

  it('start, change and stop shadowing, and report it', async () => {
    const settings = async () => (await command('shadow', 'status', TOOL))[0];
    expect((await call('start_shadow', { tool: TOOL, sample_rate: 0.25, duration_minutes: 2 })).data).toMatchObject({
      settings: { enabled: true, sampleRate: 0.25, durationMs: 120_000 },
    });
    expect((await call('set_shadow', { tool: TOOL })).text).toMatch(/Say what to change: `sample_rate`, `max_per_minute`/);
    await call('set_shadow', { tool: TOOL, max_per_minute: 7 });
    expect(await settings()).toMatchObject({ enabled: true, sampleRate: 0.25, maxSamplesPerMinute: 7 });
    const { data } = await call('get_shadow_status', { tool: TOOL });
    expect(await settings()).toMatchObject(data.settings as object);
    expect((await call('get_shadow_report', { tool: TOOL })).data).toMatchObject({
      tool: TOOL,
      report: { comparisons: 0 },
      examplesLeftOut: 0,
    });
    expect((await call('get_shadow_report', { tool: TOOL, since: 'yesterday' })).text).toMatch(/since/);
    expect((await call('stop_shadow', { tool: TOOL })).data).toMatchObject({ settings: { enabled: false, sampleRate: 0.25 } });
    expect((await call('get_shadow_status', { tool: 'banana' })).text).toMatch(/no tool "banana"/);
  });
});

describe('the tools for migrations', { timeout: 60_000 }, () => {
  it('move a folder, wait for it, and tell of each file', async () => {
    for (const name of ['a', 'b', 'c']) running.put(`moved/${name}.txt`, freshText());
    const progress: string[] = [];
    const { data } = await call('start_migration', { source: 'moved', verify: 'stored' }, { progress });
    const id = data.id as string;
    expect(data).toMatchObject({
      status: 'done',
      outcome: { phase: 'done', totals: { listed: 3, uploaded: 3, verifiedStored: 3, failed: 0 } },
    });
    expect(progress[0]).toContain(`follow_migration with id ${id}`);
    expect((await call('get_migration_status', { id })).data).toMatchObject({ id, running: 0, outcome: data.outcome });
    expect((await call('follow_migration', { id })).data).toEqual(data);
    expect((await call('list_migrations', { limit: 1000 })).data.migrations).toContainEqual(
      expect.objectContaining({ id, status: 'completed' }),
    );
    const first = await call('list_migration_files', { id, limit: 2 });
    const rest = await call('list_migration_files', { id, cursor: first.data.next });
    expect([first, rest].flatMap((page) => (page.data.files as { path: string }[]).map(({ path }) => path))).toEqual([
      'a.txt',
      'b.txt',
      'c.txt',
    ]);
    expect((await call('start_migration', { source: 'moved', id })).text).toMatch(/was started already/);
    expect((await call('start_migration', { source: 'nowhere' })).text).toMatch(/no folder or manifest .*nowhere/);
    expect((await call('pause_migration', { id: 'unknown' })).text).toMatch(
      /no migration unknown .* See them with: the tool list_migrations/,
    );
  });

  it('pause, resume and cancel one that runs', async () => {
    for (let index = 0; index < 12; index += 1) running.put(`long/${index}.txt`, freshText());
    const fast = slowly(1500);
    const { data } = await call('start_migration', { source: 'long', concurrency: 1, wait_seconds: 1 });
    expect(data).toMatchObject({ status: 'running', outcome: null, comeBack: expect.stringContaining('follow_migration') });
    const id = data.id as string;
    const phase = async () => ((await call('get_migration_status', { id })).data.outcome as { phase: string }).phase;
    await call('pause_migration', { id, reason: 'lunch' });
    await expect.poll(phase, { timeout: 20_000 }).toBe('paused');
    await call('resume_migration', { id });
    await expect.poll(phase, { timeout: 20_000 }).toBe('copying');
    await call('cancel_migration', { id, reason: 'enough' });
    fast();
    const ended = await call('follow_migration', { id });
    expect(ended.data).toMatchObject({ status: 'done', outcome: { phase: 'cancelled', reason: 'enough' } });
  });
});

describe('cutover mcp', { timeout: 60_000 }, () => {
  const program = join(import.meta.dirname, '../../bin/cutover.js');
  async function connect(...args: string[]) {
    const given = Object.fromEntries(Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [program, 'mcp', ...args],
      cwd: running.folder,
      env: given,
      stderr: 'pipe',
    });
    const client = new Client({ name: 'test', version: '0.0.0' });
    const faults: Error[] = [];
    client.onerror = (error) => void faults.push(error);
    await client.connect(transport);
    return { client, call: callOver(client), pid: transport.pid ?? 0, faults };
  }

  it('killed in the middle of an upload leaves it to come to its end by itself', async () => {
    const name = `killed-${randomUUID()}.txt`;
    const content = freshText();
    const path = running.put(name, content);
    const fast = slowly(3000);
    const server = await connect();
    const progress: string[] = [];
    const waiting = server.call('upload_file', { path }, { progress });
    waiting.catch(() => undefined);
    await expect.poll(() => progress.length, { timeout: 30_000 }).toBeGreaterThan(0);
    process.kill(server.pid, 'SIGKILL');
    await expect(waiting).rejects.toThrow();
    // Nothing but the protocol was on standard output.
    expect(server.faults.filter(({ message }) => /JSON|parse/i.test(message))).toEqual([]);
    const manager = await managerOf({
      services: () => ({ stores: async () => running.stores, client: async () => running.client }),
      config: () => running.config,
    });
    const copies = async () => (await manager.info(name, { signal: new AbortController().signal }).catch(() => ({ copies: [] }))).copies;
    await expect.poll(copies, { timeout: 30_000 }).toMatchObject([{ status: 'completed', object: { sizeBytes: content.length } }]);
    fast();
  });

  it('keeps the file that chooses the server of a storage from tools, like its own secrets', async () => {
    const server = await connect('--root', scratch.path, '--root', running.folder);
    const kept = { isError: true, text: expect.stringContaining('kept_from_tools') };
    expect(await server.call('handle_files', { paths: [join(scratch.path, 'mcp_config.json')] })).toMatchObject(kept);
    expect(await server.call('upload_file', { path: join(running.folder, '.env') })).toMatchObject(kept);
    await server.client.close();
  });

  it('ends when its client closes, says nothing on standard output by itself, and refuses a root that is not there', async () => {
    const alone = await startCommand(['mcp'], { cwd: running.folder, env }).ended;
    expect([alone.code, alone.stdout]).toEqual([0, '']);
    const refused = await startCommand(['mcp', '--root', 'nowhere'], { cwd: running.folder, env }).ended;
    expect([refused.code, refused.stdout, refused.stderr]).toEqual([
      2,
      '',
      expect.stringMatching(/--root .*nowhere: there is no such folder/),
    ]);
  });
});
