import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { askHolder, takeLock, waitForRelease } from '../../src/stack/lock.ts';
import { scratchFolder } from '../support/stack.ts';

const lockModule = fileURLToPath(new URL('../../src/stack/lock.ts', import.meta.url));

test('a folder has one holder, who answers for it', async () => {
  const folder = scratchFolder('lock');
  try {
    const lock = await takeLock(folder.path, (request) => ({ echo: request }));
    expect(await takeLock(folder.path, () => null)).toBeNull();
    expect(await askHolder(folder.path, { hello: 1 })).toEqual({ echo: { hello: 1 } });
    await lock?.release();
    expect(await askHolder(folder.path, {})).toBeNull();
    expect(await waitForRelease(folder.path, 0)).toBe(true);
    const next = await takeLock(folder.path, () => null);
    expect(next).not.toBeNull();
    await next?.release();
  } finally {
    folder.remove();
  }
});

test('two folders do not lock each other', async () => {
  const [a, b] = [scratchFolder('lock-a'), scratchFolder('lock-b')];
  const locks = [await takeLock(a.path, () => null), await takeLock(b.path, () => null)];
  expect(locks).not.toContain(null);
  for (const lock of locks) await lock?.release();
  a.remove();
  b.remove();
});

test('the lock of a process that is killed is free at once', async () => {
  const folder = scratchFolder('lock-killed');
  const script = `const { takeLock } = await import(${JSON.stringify(lockModule)}); await takeLock(${JSON.stringify(folder.path)}, () => null); console.log('held');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(child.stdout, 'data');
    expect(await takeLock(folder.path, () => null)).toBeNull();
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    const lock = await takeLock(folder.path, () => null);
    expect(lock).not.toBeNull();
    await lock?.release();
  } finally {
    child.kill('SIGKILL');
    folder.remove();
  }
});
