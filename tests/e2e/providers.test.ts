import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { type Ran, startCommand } from '../support/command.ts';
import { freePort } from '../support/free-port.ts';
import { type KimiServer, startKimiServer } from '../support/kimi-server.ts';
import { cleanEnv, scratchFolder } from '../support/stack.ts';

/** `cutover providers` as a person on call uses it: one provider that works, one that is down, and a worker that has met both. */

const folder = scratchFolder('providers');
const name = `providers-${randomUUID().slice(0, 8)}`;
let kimi: KimiServer;
let env: Record<string, string | undefined>;
let worker: ReturnType<typeof startCommand> | undefined;
const cutover = (...args: string[]): Promise<Ran> => startCommand(args, { cwd: folder.path, env }).ended;
const asked = async (...args: string[]) => {
  const { code, stdout } = await cutover('providers', '--json', ...args);
  expect(code).toBe(0);
  return new Map(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
      .map((status) => [status.name, status]),
  );
};

beforeAll(async () => {
  kimi = await startKimiServer();
  env = cleanEnv(folder.path, {
    TEMPORAL_ADDRESS: inject('temporal').address,
    TEMPORAL_TASK_QUEUE: name,
    SUPABASE_URL: inject('supabase').url,
    SUPABASE_SECRET_KEY: inject('supabase').secretKey,
    SUPABASE_BUCKET: name,
    KIMI_API_KEY: kimi.apiKey,
    KIMI_BASE_URL: `${kimi.url}/v1`,
    OPENAI_API_KEY: `key-${name}`,
    OPENAI_BASE_URL: `http://127.0.0.1:${await freePort()}/v1`,
    MAX_RETRY_ATTEMPTS: '0',
    PROVIDER_BREAKER_FAILURES: '1',
    PROVIDER_BREAKER_SECONDS: '600',
  });
  worker = startCommand(['worker'], { cwd: folder.path, env });
  const { said, child } = worker;
  await vi.waitUntil(
    () => {
      if (child.exitCode !== null) throw new Error(`the worker ended: ${said.stderr}`);
      return said.stderr.includes('"ready"');
    },
    { timeout: 60_000, interval: 50 },
  );
}, 90_000);
afterAll(async () => {
  worker?.child.kill('SIGTERM');
  await worker?.ended;
  await kimi?.close();
  folder.remove();
}, 60_000);

describe('cutover providers', { timeout: 60_000 }, () => {
  it('tells of each in a line, one that is down too, and what to set for the others: information, so the exit code is 0', async () => {
    const { code, stdout, stderr } = await cutover('providers');
    expect(code).toBe(0);
    const rows = Object.fromEntries(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => [line.split(/\s/)[0], line]),
    );
    expect(Object.keys(rows)).toEqual(['PROVIDER', 'kimi', 'openai', 'supabase']);
    expect(rows.kimi).toMatch(/yes\s+closed\s+0 files, 0 B\s+0 % of 1000 files/);
    expect(rows.openai).toMatch(/no: connection_refused/);
    expect(stderr).toMatch(/warning: openai: .*Check OPENAI_BASE_URL/);
    expect(stderr).toMatch(/Not configured: .*glm \(set GLM_API_KEY\).*s3 \(set S3_BUCKET\)/);
  });

  it('counts what an account holds, and what of it is ours', async () => {
    writeFileSync(join(folder.path, 'a.txt'), `one ${name}`);
    expect((await cutover('upload', 'a.txt', '--to', 'kimi')).code).toBe(0);
    expect((await asked()).get('kimi')).toMatchObject({
      available: true,
      ours: { files: 1, bytes: 4 + name.length },
      quota: [
        { kind: 'files', purpose: null, used: 1, limit: 1000 },
        { kind: 'bytes', purpose: null, used: 4 + name.length, limit: 10 * 1024 ** 3 },
      ],
    });
  });

  it('shows the circuit and the last error that a worker has met, without asking the provider', async () => {
    writeFileSync(join(folder.path, 'b.txt'), `two ${name}`);
    const { child, ended } = startCommand(['upload', 'b.txt', '--to', 'openai'], { cwd: folder.path, env });
    try {
      await vi.waitUntil(async () => (await asked('--no-check')).get('openai')?.circuit === 'open', { timeout: 30_000, interval: 500 });
    } finally {
      child.kill('SIGINT');
      await ended;
    }
    const status = (await asked('openai', '--no-check')).get('openai');
    expect(status).toMatchObject({ available: null, circuit: 'open', lastError: { code: 'connection_refused' } });
    const { stdout } = await cutover('providers', 'openai', '--no-check');
    expect(stdout).toMatch(/circuit\s+open/);
    expect(stdout).toMatch(/last error\s+\S+ connection_refused: /);
    expect(stdout).toMatch(/available\s+not asked/);
  });

  it.each([
    [['providers', 'glm'], /glm is not configured: set GLM_API_KEY/],
    [['providers', 'nowhere'], /There is no provider "nowhere"; there are: kimi, openai, supabase; with a key also: .*glm/],
    [['upload', 'a.txt', '--to', 'gemini'], /gemini is not configured: set GEMINI_API_KEY/],
  ])('refuses %j and says what to do', async (args, says) => {
    const { code, stderr } = await cutover(...args);
    expect([code, stderr]).toEqual([2, expect.stringMatching(says)]);
  });
});
