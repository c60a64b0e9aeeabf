import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { identify, isRunning, stopProcess } from '../../src/stack/process-identity.ts';
import { ProcessRecords, runningProcesses, stopLeftovers } from '../../src/stack/process-records.ts';
import { restartDelayMs } from '../../src/stack/service.ts';
import { scratchFolder } from '../support/stack.ts';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A process that has said that it is up, with what it does on SIGTERM. */
async function sleeper(onTerm = '-'): Promise<{ child: ChildProcess; pid: number }> {
  const child = spawn('/bin/sh', ['-c', `trap ${onTerm} TERM; echo up; while :; do sleep 0.05; done`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  children.push(child);
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return { child, pid: child.pid as number };
}

test('a process id that another process has now is not signalled', async () => {
  const { child, pid } = await sleeper();
  const identity = identify(pid);
  expect(identity).not.toBeNull();
  expect(await stopProcess({ pid, started: 'some other time' }, 'SIGKILL', 1000)).toBe(true);
  expect(child.exitCode).toBeNull();
  expect(child.signalCode).toBeNull();
  expect(isRunning(identity as NonNullable<typeof identity>)).toBe(true);
});

test('a process that ignores the request is ended after its time', async () => {
  const { child, pid } = await sleeper('""');
  const exited = once(child, 'exit');
  expect(await stopProcess(identify(pid) as NonNullable<ReturnType<typeof identify>>, 'SIGTERM', 200)).toBe(false);
  expect((await exited)[1]).toBe('SIGKILL');
});

test('what a dead supervisor left is found in its records and stopped in order', async () => {
  const folder = scratchFolder('records');
  try {
    const path = join(folder.path, 'processes.json');
    const log = join(folder.path, 'order');
    const records = new ProcessRecords(path);
    const exits: Promise<unknown>[] = [];
    for (const [name, stopOrder] of [
      ['last', 3],
      ['first', 0],
    ] as const) {
      const { child, pid } = await sleeper(`'echo ${name} >> ${log}; exit'`);
      exits.push(once(child, 'exit'));
      records.put({
        name,
        stopOrder,
        stopSignal: 'SIGTERM',
        stopWithinMs: 5000,
        ...(identify(pid) as NonNullable<ReturnType<typeof identify>>),
      });
    }
    expect(runningProcesses(path).map(({ name }) => name)).toEqual(['last', 'first']);
    await stopLeftovers(path);
    await Promise.all(exits);
    expect(readFileSync(log, 'utf8')).toBe('first\nlast\n');
    expect(runningProcesses(path)).toEqual([]);
    writeFileSync(path, 'not json');
    expect(runningProcesses(path)).toEqual([]);
  } finally {
    folder.remove();
  }
});

test('restarts wait longer and longer, up to five seconds', () => {
  expect([0, 1, 2, 5, 6, 40].map(restartDelayMs)).toEqual([100, 200, 400, 3200, 5000, 5000]);
});
