import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { run } from '../../src/cli/main.ts';

it.each([
  [['nonsense'], 'npx cutover --help'],
  [['upload', 'a.pdf', '--model', 'slow'], 'npx cutover upload --help'],
  [['rollout', 'start'], 'npx cutover rollout start --help'],
])('%j points to the help of the command that was meant', async (argv, help) => {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const said = text(stderr);
  const code = await run({
    ...{ argv, env: {}, cwd: '/', stdin: new PassThrough(), stdout, stderr },
    signal: new AbortController().signal,
  });
  stderr.end();
  expect([code, (await said).split('\n').at(-2)]).toEqual([2, `See: ${help}`]);
});
