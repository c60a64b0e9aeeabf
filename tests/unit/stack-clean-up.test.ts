import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { cleanUpIfLeft } from '../../src/stack/clean-up.ts';
import { identify } from '../../src/stack/process-identity.ts';
import { ProcessRecords } from '../../src/stack/process-records.ts';
import { Service, type ServiceSpec } from '../../src/stack/service.ts';
import { scratchFolder } from '../support/stack.ts';

const folders: ReturnType<typeof scratchFolder>[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) folder.remove();
});
function folderWith(...names: string[]): string {
  const folder = scratchFolder('clean-up');
  folders.push(folder);
  for (const name of names) writeFileSync(join(folder.path, name), '[]');
  return folder.path;
}
const there = (folder: string, ...names: string[]) => names.filter((name) => existsSync(join(folder, name)));

test('a folder in which no stack ever was is left as it is', async () => {
  const names = ['letter.tmp', 'processes.json', 'stack.env'];
  const folder = folderWith(...names);
  expect(await cleanUpIfLeft(folder)).toEqual([]);
  expect(there(folder, ...names)).toEqual(names);
});

test('what a killed stack left half-written is removed, and nothing else with such a name', async () => {
  const folder = folderWith('ports.json', 'ports.json.41.tmp', 'stack.env', 'letter.tmp');
  await cleanUpIfLeft(folder);
  expect(there(folder, 'ports.json', 'ports.json.41.tmp', 'stack.env', 'letter.tmp')).toEqual(['ports.json', 'letter.tmp']);
});

test('a service whose record cannot be written is refused with the reason, and its process does not stay', async () => {
  const folder = folderWith();
  let pid = 0;
  const spec: ServiceSpec = {
    name: 'sleeper',
    stopOrder: 0,
    stopSignal: 'SIGTERM',
    stopWithinMs: 100,
    readyWithinMs: 1000,
    launch() {
      const child = spawn('sleep', ['60']);
      pid = child.pid ?? 0;
      return child;
    },
    ready: async () => undefined,
  };
  const records = new ProcessRecords(join(folder, 'no-such-folder', 'processes.json'));
  const events = { restarting() {}, restarted() {}, failed() {} };
  await expect(new Service(spec, { logs: folder, records, events }).start()).rejects.toMatchObject({
    code: 'service_failed',
    message: expect.stringContaining('sleeper could not be started: ENOENT'),
  });
  expect(pid).toBeGreaterThan(0);
  expect(identify(pid)).toBeNull();
});
