import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import http from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startCommand } from '../support/command.ts';
import { type Running, runCutover } from '../support/cutover.ts';
import { API_TOKEN, envBeside, type Served, startServe } from '../support/serve.ts';
import { dropBucket, freshBucket, supabaseProvider } from '../support/supabase-provider.ts';

/** `cutover serve` as a process of its own, beside a worker: what a person who runs it and an application that calls it see. */

const bucket = freshBucket();
let cutover: Running;
beforeAll(async () => {
  cutover = await runCutover();
  await supabaseProvider({ bucket }).check(new AbortController().signal);
}, 60_000);
afterAll(async () => {
  await cutover?.stop();
  await dropBucket(bucket);
});

/** No other test ramps this tool: where no rollout was ever started, the configuration's share counts. */
/** One that nobody else ramps: what is in force is the ledger's, which all tests share. */
const TOOL = 'served';
const ALL_UNIFIED = { CUTOVER_TOOLS: TOOL, ENABLE_SERVED_MIGRATION: 'true', SERVED_ROLLOUT_PERCENTAGE: '100' };
const staging = () => join(cutover.folder, 'staging');
const running: Served[] = [];
async function serve(more: Record<string, string> = {}): Promise<Served> {
  const served = await startServe(cutover, { ...ALL_UNIFIED, LEGACY_BUCKET: bucket, CUTOVER_STAGING_DIR: staging(), ...more });
  running.push(served);
  return served;
}
afterEach(async () => {
  for (const { child, ended } of running.splice(0)) {
    child.kill('SIGKILL');
    await ended;
  }
});
async function stop({ child, ended }: Served): Promise<number | null> {
  child.kill('SIGTERM');
  return (await ended).code;
}
const asker =
  (url: string) =>
  (path: string, init: RequestInit = {}) =>
    fetch(`${url}${path}`, { ...init, headers: { authorization: `Bearer ${API_TOKEN}`, ...init.headers } });
/** Every file below the folder through which uploads go. */
const leftIn = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) =>
        entry.isFile() ? [join(entry.parentPath, entry.name)] : [],
      )
    : [];

/** An upload of `sizeBytes` of which half has been sent. */
function halfSent(url: string, sizeBytes: number, user: string) {
  const request = http.request(`${url}/files?name=half.bin&tool=${TOOL}&user=${user}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${API_TOKEN}`, 'content-length': sizeBytes },
  });
  request.on('error', () => undefined);
  request.write(Buffer.alloc(sizeBytes / 2, user));
  const answered = once(request, 'response').then(([response]) => response as http.IncomingMessage);
  answered.catch(() => undefined);
  return { answered, rest: () => request.end(Buffer.alloc(sizeBytes / 2, user)), leave: () => request.destroy() };
}

describe('cutover serve', { timeout: 60_000 }, () => {
  test('takes uploads for the side that is in force, gives them back, and ends with 0 when it is told to stop', async () => {
    const served = await serve();
    const ask = asker(served.url);
    const user = `ann-${randomUUID()}`;
    const text = `hello ${randomUUID()}`;
    const answer = await ask(`/files?name=note.txt&tool=${TOOL}&user=${user}`, { method: 'POST', body: text });
    const file = (await answer.json()) as { id: string };
    expect(file).toMatchObject({ name: 'note.txt', size_bytes: text.length, served_by: 'unified', fallback: false });
    const path = `/files/${file.id}`;
    expect(await (await ask(`${path}/content?tool=${TOOL}&user=${user}`)).text()).toBe(text);
    expect(await (await ask(`/files?tool=${TOOL}&user=${user}`)).json()).toMatchObject({ files: [{ id: file.id }], next: 'l:' });
    expect((await ask(`/files?tool=${TOOL}&user=${user}&after=u:nonsense`)).status).toBe(422);
    expect((await ask(`${path}/content?tool=${TOOL}&user=bob`)).status).toBe(404);
    expect((await ask(`${path}?tool=${TOOL}&user=${user}`, { method: 'DELETE' })).status).toBe(204);
    expect((await ask(`${path}?tool=${TOOL}&user=${user}`)).status).toBe(404);

    expect((await fetch(`${served.url}${path}?tool=${TOOL}`)).status).toBe(401);
    const unknown = await ask('/files?tool=fax');
    expect([unknown.status, await unknown.json()]).toEqual([
      400,
      { code: 'unknown_tool', message: expect.stringContaining('kimi, smart_handler, supabase') },
    ]);
    expect(await (await fetch(`${served.url}/readyz`)).json()).toEqual({ ready: true, ledger: 'ok', temporal: 'ok' });
    expect(await stop(served)).toBe(0);
    const { stderr } = await served.ended;
    expect(stderr).toContain('"route":"/files/:id/content"');
    expect(stderr).not.toMatch(new RegExp(`note\\.txt|${API_TOKEN}|^ +at `, 'm'));
    expect(leftIn(staging())).toEqual([]);
  });

  test('gives each upload an id of its own, also of the same bytes; the commands know it, and delete no other', async () => {
    const served = await serve();
    const ask = asker(served.url);
    const who = `tool=${TOOL}&user=ann-${randomUUID()}`;
    const body = `the same ${randomUUID()}`;
    const upload = async (operation: string) => {
      const answer = await ask(`/files?name=note.txt&${who}&operation_id=${operation}`, { method: 'POST', body });
      return ((await answer.json()) as { id: string }).id;
    };
    const first = await upload('one');
    const second = await upload('two');
    expect(await upload('one')).toBe(first);
    expect(second).not.toBe(first);
    expect(((await (await ask(`/files?${who}`)).json()) as { files: { id: string }[] }).files).toHaveLength(2);
    const command = (...args: string[]) => startCommand(args, { cwd: cutover.folder, env: envBeside(cutover) }).ended;
    expect((await command('info', first)).stdout).toContain(`as note.txt (storage, keep), known as ${second}`);
    expect((await command('delete', first, '--yes')).code).toBe(0);
    const again = await command('delete', first, '--yes');
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('and its content is held by others')]);
    expect((await ask(`/files/${first}?${who}`)).status).toBe(404);
    expect(await (await ask(`/files/${second}/content?${who}`)).text()).toBe(body);
    expect((await ask(`/files/${second}?${who}`, { method: 'DELETE' })).status).toBe(204);
    expect((await command('restore', first)).code).toBe(0);
    expect(await stop(served)).toBe(0);
  });

  test('keeps nothing of an upload whose client has gone in the middle', async () => {
    const served = await serve();
    const { leave } = halfSent(served.url, 200_000, 'gone');
    await expect.poll(() => leftIn(staging()), { timeout: 5000 }).toHaveLength(1);
    leave();
    await expect.poll(() => leftIn(staging()), { timeout: 5000 }).toEqual([]);
    await expect.poll(() => served.said.stderr).toContain('"status":499');
    expect(await stop(served)).toBe(0);
    expect(readdirSync(staging())).toEqual([]);
  });

  test('finishes an upload that is under way when it is told to stop, and counts it', async () => {
    const served = await serve({ CUTOVER_SHUTDOWN_GRACE_SECONDS: '30' });
    const user = `late-${randomUUID()}`;
    const counted = async () => (await cutover.stores.rollouts.evidence(TOOL, 0)).arms.unified?.operations ?? 0;
    const before = await counted();
    const { answered, rest } = halfSent(served.url, 200_000, user);
    await expect.poll(() => leftIn(staging()), { timeout: 5000 }).toHaveLength(1);
    served.child.kill('SIGTERM');
    await expect.poll(() => served.said.stderr).toContain('Stopping');
    await expect(fetch(`${served.url}/healthz`)).rejects.toThrow();
    rest();
    const response = await answered;
    expect(response.statusCode).toBe(201);
    response.resume();
    expect((await served.ended).code).toBe(0);
    expect(await counted()).toBeGreaterThan(before);
    const held = await cutover.stores.ledger.listHeldBy(user, { after: null, limit: 10 });
    expect(held).toMatchObject([{ name: 'half.bin', sizeBytes: 200_000 }]);
    expect(readdirSync(staging())).toEqual([]);
  });

  test('that is killed in the middle of an upload leaves what the next one removes', async () => {
    const killed = await serve();
    halfSent(killed.url, 200_000, 'lost');
    await expect.poll(() => leftIn(staging()), { timeout: 5000 }).toHaveLength(1);
    killed.child.kill('SIGKILL');
    await killed.ended;
    expect(leftIn(staging())).toHaveLength(1);
    const [first, second] = [await serve(), await serve()];
    // The second one leaves the folder of the first alone, which lives.
    expect(readdirSync(staging())).toHaveLength(2);
    expect(leftIn(staging())).toEqual([]);
    expect([await stop(first), await stop(second)]).toEqual([0, 0]);
  });

  test('serves by legacy while Temporal is away, and says so', async () => {
    const served = await serve({ TEMPORAL_ADDRESS: '127.0.0.1:1' });
    const answer = await asker(served.url)(`/files?name=note.txt&tool=${TOOL}&user=ann`, { method: 'POST', body: 'x' });
    expect(await answer.json()).toMatchObject({ served_by: 'legacy', fallback: true });
    expect(await (await fetch(`${served.url}/readyz`)).json()).toEqual({ ready: true, ledger: 'ok', temporal: 'unreachable' });
    expect(await stop(served)).toBe(0);
  });
});

describe('cutover serve does not start', { timeout: 60_000 }, () => {
  async function refused(more: Record<string, string>) {
    const { code, stdout, stderr } = await startCommand(['serve'], { cwd: cutover.folder, env: envBeside(cutover, more) }).ended;
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).not.toMatch(/^ +at /m);
    return stderr;
  }
  test('without a token and an old path, and names both at once', async () => {
    expect(await refused({ CUTOVER_API_TOKEN: '' })).toMatch(/CUTOVER_API_TOKEN must be set[\s\S]*LEGACY_URL or LEGACY_BUCKET must be set/);
  });
  test('with a token that could be guessed, which it does not print', async () => {
    const said = await refused({ CUTOVER_API_TOKEN: 'hunter2', LEGACY_BUCKET: bucket });
    expect(said).toContain('CUTOVER_API_TOKEN is "********" and must be at least 16 characters');
    expect(said).not.toContain('hunter2');
  });
  test('on a port that is taken, and leaves nothing behind', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const settings = { LEGACY_BUCKET: bucket, CUTOVER_STAGING_DIR: staging(), CUTOVER_API_PORT: String(port) };
    expect(await refused(settings)).toContain(`Port ${port} of 127.0.0.1 is taken by another program: set CUTOVER_API_PORT`);
    expect(readdirSync(staging())).toEqual([]);
    other.close();
  });
  test('where uploads cannot be kept meanwhile', async () => {
    const file = cutover.put('a-file', 'x');
    expect(await refused({ LEGACY_BUCKET: bucket, CUTOVER_STAGING_DIR: file })).toMatch(
      /cannot be kept in .*a-file.*set CUTOVER_STAGING_DIR/,
    );
  });
  test('on an address of another machine', async () => {
    expect(await refused({ LEGACY_BUCKET: bucket, CUTOVER_API_HOST: '192.0.2.1' })).toContain('192.0.2.1 is no address of this machine');
  });
});
