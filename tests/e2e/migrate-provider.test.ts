import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Ran, startCommand } from '../support/command.ts';
import { cleanEnv, scratchFolder } from '../support/stack.ts';

/** `cutover migrate provider:…` and `--preflight` as a person uses them, from a bucket of the application's own. */

const folder = scratchFolder('migrate-provider');
const name = `from-${randomUUID().slice(0, 8)}`;
const app = `app-${randomUUID().slice(0, 8)}`;
const env = (more: Record<string, string> = {}) =>
  cleanEnv(folder.path, {
    TEMPORAL_ADDRESS: inject('temporal').address,
    TEMPORAL_TASK_QUEUE: name,
    SUPABASE_URL: inject('supabase').url,
    SUPABASE_SECRET_KEY: inject('supabase').secretKey,
    SUPABASE_BUCKET: name,
    ...more,
  });
const start = (args: readonly string[], more?: Record<string, string>) => startCommand(args, { cwd: folder.path, env: env(more) });
const cutover = (args: readonly string[], more?: Record<string, string>): Promise<Ran> => start(args, more).ended;
const FILES: Record<string, string> = { 'a.txt': 'a', 'invoices/2026/b c.pdf': 'b', 'invoices/2026/same.pdf': 'b', 'empty.bin': '' };

async function storage(method: string, path: string, body: string, type = 'application/json'): Promise<void> {
  const { url, secretKey } = inject('supabase');
  const headers = { apikey: secretKey, authorization: `Bearer ${secretKey}`, 'content-type': type };
  const response = await fetch(`${url}/storage/v1${path}`, { method, headers, body });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
}

let stopWorker: (() => Promise<void>) | undefined;
beforeAll(async () => {
  await storage('POST', '/bucket', JSON.stringify({ id: app, name: app, public: false }));
  for (const [key, content] of Object.entries(FILES))
    await storage('POST', `/object/${app}/${key.split('/').map(encodeURIComponent).join('/')}`, content + randomTail(key), 'text/plain');
  const worker = start(['worker']);
  while (!worker.said.stderr.includes('"ready"')) {
    if (worker.child.exitCode !== null) throw new Error(`the worker ended: ${worker.said.stderr}`);
    await sleep(50);
  }
  stopWorker = async () => {
    worker.child.kill('SIGTERM');
    await worker.ended;
  };
}, 60_000);
afterAll(async () => {
  await stopWorker?.();
  folder.remove();
}, 60_000);

/** Contents that no other test has stored; the empty one stays empty. */
function randomTail(key: string): string {
  return FILES[key] === '' ? '' : ` ${name}`;
}

describe('cutover migrate provider:supabase/BUCKET', { timeout: 60_000 }, () => {
  it('says before it moves anything what would be moved, without reading and with reading', async () => {
    const looked = await cutover(['migrate', `provider:supabase/${app}`, '--preflight', '--json']);
    expect([looked.code, looked.stderr]).toEqual([0, '']);
    expect(JSON.parse(looked.stdout)).toMatchObject({
      preflight: true,
      fits: true,
      listed: { files: 4 },
      toSend: { files: 4 },
      refused: [],
    });
    const planned = await cutover(['migrate', `provider:supabase/${app}`, '--dry-run', '--json']);
    expect(JSON.parse(planned.stdout)).toMatchObject({ failed: 0 });
    const { upload, there } = JSON.parse(planned.stdout);
    expect(upload + there).toBe(4);
  });

  it('moves what is below a folder of the bucket, with the old id of each in its report', async () => {
    const run = await cutover(['migrate', `provider:supabase/${app}/invoices/`, '--report', 'r.jsonl', '--verify=download', '--json']);
    expect([run.code, JSON.parse(run.stdout)]).toMatchObject([0, { phase: 'done', totals: { listed: 2, uploaded: 1, deduplicated: 1 } }]);
    const lines = readFileSync(join(folder.path, 'r.jsonl'), 'utf8').trimEnd().split('\n');
    expect(
      lines.map((line) => JSON.parse(line)).map(({ sourceProvider, sourceId, verified }) => [sourceProvider, sourceId, verified]),
    ).toEqual([
      ['supabase', `${app}/invoices/2026/b c.pdf`, 'download'],
      ['supabase', `${app}/invoices/2026/same.pdf`, 'download'],
    ]);
  });

  it('moves all of it, and tells the time of the next one from that', async () => {
    const run = await cutover(['migrate', `provider:supabase/${app}`, '--json']);
    expect([run.code, JSON.parse(run.stdout)]).toMatchObject([0, { totals: { listed: 4, failed: 0 } }]);
    const looked = await cutover(['migrate', `provider:supabase/${app}`, '--preflight']);
    expect(looked.stdout).toMatch(/time: about .*; earlier migrations to supabase reached .* files\/s and .*\/s at best/);
  });

  it('refuses what cannot be right, and says what to do', async () => {
    for (const [args, says] of [
      [[`provider:supabase/${name}`], /name another of its buckets \(provider:supabase\/BUCKET\)/],
      [['provider:supabase'], /keeps its own files there/],
      [['provider:nowhere'], /nowhere/],
      [['provider:'], /Name a provider: provider:kimi/],
      [[`provider:supabase/${app}/nothing/`], /holds no files/],
      [[`provider:supabase/${app}`, '--preflight', '--dry-run'], /--preflight counts without reading a file/],
    ] as const) {
      const { code, stderr } = await cutover(['migrate', ...args]);
      expect([code, stderr]).toEqual([2, expect.stringMatching(says)]);
    }
  });
});

describe('cutover migrate --preflight of a folder', { timeout: 60_000 }, () => {
  it('says what will not fit and why, with the first names, and ends with 1', async () => {
    mkdirSync(join(folder.path, 'mixed'));
    for (const file of ['a.pdf', 'b.exe', 'c.exe']) writeFileSync(join(folder.path, 'mixed', file), file);
    writeFileSync(join(folder.path, 'mixed/long.pdf'), 'x'.repeat(2000));
    const limits = { ALLOWED_EXTENSIONS: 'pdf', MAX_FILE_SIZE_MB: '0.001' };
    const { code, stdout } = await cutover(['migrate', 'mixed', '--preflight'], limits);
    expect(code).toBe(1);
    expect(stdout).toMatch(/4 files, .* to supabase/);
    expect(stdout).toMatch(/will be sent\s+1 /);
    expect(stdout).toMatch(/will not arrive\s+2 .*extension_not_allowed: b\.exe, c\.exe/);
    expect(stdout).toMatch(/will not arrive\s+1 .*file_too_large: long\.pdf/);
    expect(stdout).toContain('No file was read; nothing was started or changed.');
  });
});
