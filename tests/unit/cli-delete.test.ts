import { randomUUID } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { beforeEach, describe, expect, it } from 'vitest';
import { run } from '../../src/cli/main.ts';
import type { Services } from '../../src/cli/services.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { reference, stored } from '../conformance/ledger-samples.ts';
import { createMemoryLedger } from '../support/memory-ledger.ts';

let ledger: Ledger;
let fileId: string;
beforeEach(async () => {
  ledger = createMemoryLedger();
  ({ fileId } = await stored(ledger));
});

const remove = (...args: string[]) => cutoverDelete([...args, '--yes'], new PassThrough());
/** `cutover delete …` over a ledger in memory. */
async function cutoverDelete(args: readonly string[], stdin: PassThrough) {
  const services = { stores: async () => ({ ledger }), close: async () => {} };
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const said = Promise.all([text(stdout), text(stderr)]);
  stderr.on('data', (chunk) => stdin.emit('asked', String(chunk)));
  const code = await run({
    ...{ argv: ['delete', ...args], env: {}, cwd: '/', stdin, stdout, stderr },
    signal: new AbortController().signal,
    services: () => services as unknown as Services,
  });
  stdout.end();
  stderr.end();
  const [, err] = await said;
  return { code, err };
}
async function uploaded(userId: string): Promise<string> {
  const uploadId = randomUUID();
  await ledger.addReference(fileId, reference({ userId, uploadId }));
  return uploadId;
}
const holders = async () => (await ledger.references(fileId)).map(({ userId }) => userId);

describe('cutover delete, given the id of an upload', () => {
  it('gives up that upload, and no other of the same bytes', async () => {
    const [ann] = [await uploaded('ann'), await uploaded('ben'), await uploaded('ben')];
    expect((await remove(ann)).code).toBe(0);
    expect(await holders()).toEqual(['ben', 'ben']);
  });

  it('that is gone already takes away nothing of those who hold the same bytes, until it is told whose', async () => {
    const [ann] = [await uploaded('ann'), await uploaded('ben')];
    await remove(ann);
    const { code, err } = await remove(ann);
    expect([code, err]).toEqual([2, expect.stringContaining(`${ann} holds nothing (any more), and its content is held by others`)]);
    expect(await holders()).toEqual(['ben']);
    expect((await remove(ann, '--all')).code).toBe(0);
    expect(await holders()).toEqual([]);
  });

  it('and of the content itself, asks whose hold it is where there are several, and takes the only one', async () => {
    const [ann] = [await uploaded('ann'), await uploaded('ben')];
    expect((await remove(fileId)).err).toContain('2 hold this file');
    await remove(ann);
    expect((await remove(fileId)).code).toBe(0);
    expect(await holders()).toEqual([]);
  });

  it.each([0, 1])(
    'and of a content with %i holds, takes nothing from somebody who uploads the same bytes before the question is answered',
    async (held) => {
      if (held === 1) await uploaded('ann');
      const terminal = Object.assign(new PassThrough(), { isTTY: true });
      terminal.once('asked', async () => {
        await uploaded('ben');
        terminal.write('y\n');
      });
      const { code, err } = await cutoverDelete([fileId], terminal);
      expect([code, err]).toEqual([0, expect.stringContaining('The file stays, because others hold it')]);
      expect(await holders()).toEqual(['ben']);
    },
  );
});
