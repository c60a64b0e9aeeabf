import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { KeyLock } from '../../src/stack/lite/key-lock.ts';

test('work on one key is done one after the other, in order, also after a failure', async () => {
  const lock = new KeyLock();
  const log: string[] = [];
  const work = (name: string, fail = false) =>
    lock.run('key', async () => {
      log.push(`${name} begins`);
      await delay(5);
      log.push(`${name} ends`);
      if (fail) throw new Error(name);
    });
  const results = await Promise.allSettled([work('a', true), work('b'), work('c')]);
  expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
});

test('other keys do not wait', async () => {
  const lock = new KeyLock();
  const { promise, resolve } = Promise.withResolvers<void>();
  const first = lock.run('a', () => promise);
  expect(await lock.run('b', async () => 'done')).toBe('done');
  resolve();
  await first;
});
