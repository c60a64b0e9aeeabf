import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { choosePorts, isFree } from '../../src/stack/ports.ts';
import { scratchFolder } from '../support/stack.ts';

let folder: ReturnType<typeof scratchFolder>;
let path: string;
let other: Server | null = null;
beforeEach(() => {
  folder = scratchFolder('ports');
  path = join(folder.path, 'ports.json');
});
afterEach(() => {
  folder.remove();
  other?.close();
  other = null;
});

async function take(port = 0): Promise<number> {
  const server = createServer();
  other = server;
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

test('free ports are chosen once and remembered', async () => {
  const first = await choosePorts(path, {});
  expect(new Set(Object.values(first.ports)).size).toBe(4);
  for (const port of Object.values(first.ports)) expect(await isFree(port)).toBe(true);
  expect(await choosePorts(path, {})).toEqual({ ports: first.ports, notices: [] });
});

test('a remembered port that another program has now is replaced, and that is said', async () => {
  const { ports } = await choosePorts(path, {});
  await take(ports.supabase);
  const again = await choosePorts(path, {});
  expect(again.ports.supabase).not.toBe(ports.supabase);
  expect(again.ports.postgres).toBe(ports.postgres);
  expect(again.notices).toEqual([`Port ${ports.supabase} (supabase) is taken by another program; using ${again.ports.supabase} instead.`]);
});

test('an explicit port that is taken is refused by name, and nothing is remembered', async () => {
  const port = await take();
  await expect(choosePorts(path, { postgres: port })).rejects.toThrow(
    `Port ${port} (CUTOVER_POSTGRES_PORT) is taken by another program. Stop that program, choose another port, or unset CUTOVER_POSTGRES_PORT to have a free one chosen.`,
  );
  expect(() => readFileSync(path)).toThrow('ENOENT');
});

test('the same explicit port twice is refused', async () => {
  await expect(choosePorts(path, { temporal: 21_345, supabase: 21_345 })).rejects.toThrow(
    'CUTOVER_SUPABASE_PORT and CUTOVER_TEMPORAL_PORT are both 21345',
  );
});

test('a damaged memory is one without ports', async () => {
  writeFileSync(path, '{"temporal": "x"');
  expect(Object.keys((await choosePorts(path, {})).ports)).toHaveLength(4);
});
