import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { StackError } from '../../src/stack/stack-error.ts';
import { scratchFolder, startOwnStack } from '../support/stack.ts';
import { nothingLeft, spawnUp } from '../support/up.ts';

/** What `cutover up` refuses, in words and with exit code 2, leaving nothing. */

let folder: ReturnType<typeof scratchFolder>;
beforeEach(() => {
  folder = scratchFolder('refused');
});
afterEach(async () => {
  await nothingLeft(folder.path);
  folder.remove();
});

test('a second stack on the same folder is refused, telling where the first one is', async () => {
  const second = spawnUp(folder.path, [], { CUTOVER_STATE_DIR: inject('stateDir') });
  expect(await second.exit).toEqual({ code: 2, signal: null });
  expect(second.said()).toMatch(
    /is running already: pid \d+, since .*, Temporal UI at http:\/\/127\.0\.0\.1:\d+\. Stop it with `npx cutover down`/,
  );
});

test('a port that was asked for and is taken is refused by its number and its variable', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  try {
    const refused = spawnUp(folder.path, [], { CUTOVER_SUPABASE_PORT: String(port) });
    expect(await refused.exit).toEqual({ code: 2, signal: null });
    expect(refused.said()).toContain(`Port ${port} (CUTOVER_SUPABASE_PORT) is taken by another program.`);
    expect(refused.said()).not.toMatch(/^ +at /m);
    expect(readdirSync(folder.path)).toEqual([]);
  } finally {
    other.close();
  }
});

test('damaged or lost keys are named, and the database is not touched', { timeout: 60_000 }, async () => {
  const stack = await startOwnStack(folder.path);
  await stack.stop();
  const secrets = join(folder.path, 'secrets.json');
  writeFileSync(secrets, '{');
  await expect(startOwnStack(folder.path)).rejects.toThrow(`${secrets} is damaged.`);
  rmSync(secrets);
  const error = await startOwnStack(folder.path).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(StackError);
  expect((error as StackError).message).toContain('but the keys it was made with are gone');
});

test('a start that is given up stops what it had started', { timeout: 60_000 }, async () => {
  const abort = new AbortController();
  const starting = startOwnStack(folder.path, {}, { signal: abort.signal });
  setTimeout(() => abort.abort(), 300);
  await expect(starting).rejects.toThrow(/stopped while it (started|made its database)/);
  await nothingLeft(folder.path, 1000);
  const stack = await startOwnStack(folder.path);
  expect(stack.processes().every(({ state }) => state === 'running')).toBe(true);
  await stack.stop();
});

test('only their owner can read the keys and the data', { timeout: 60_000 }, async () => {
  const stack = await startOwnStack(folder.path);
  for (const name of ['secrets.json', 'stack.env', 'temporal.db', 'objects', 'logs', 'postgres'])
    expect(statSync(join(folder.path, name)).mode & 0o077, name).toBe(0);
  await stack.stop();
  expect(readdirSync(folder.path)).not.toContain('stack.env');
});

test('where TEMPORAL_ADDRESS and SUPABASE_URL are set, nothing is started for them', async () => {
  const { url, secretKey } = inject('supabase');
  const { address } = inject('temporal');
  const stack = await startOwnStack(folder.path, { TEMPORAL_ADDRESS: address, SUPABASE_URL: url, SUPABASE_SECRET_KEY: secretKey });
  expect(stack.processes()).toEqual([]);
  expect(stack.temporal).toMatchObject({ address, embedded: false });
  expect(stack.supabase).toMatchObject({ url, embedded: false });
  expect(stack.postgresUrl).toBeNull();
  await stack.stop();
});

test('the first requests after a start, all at once, are answered', { timeout: 60_000 }, async () => {
  const stack = await startOwnStack(folder.path);
  const { url, secretKey } = stack.supabase;
  const answers = await Promise.all(
    Array.from({ length: 40 }, () =>
      fetch(`${url}/rest/v1/files?select=id&limit=1`, { headers: { apikey: secretKey } }).then(({ status }) => status),
    ),
  );
  await stack.stop();
  expect(new Set(answers)).toEqual(new Set([200]));
});
