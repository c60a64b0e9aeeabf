import { PassThrough } from 'node:stream';
import { run } from '../../src/cli/main.ts';

/** A command in this process, without the second that a process takes. */
export async function runCommand(
  argv: readonly string[],
  { env, cwd }: { env: Record<string, string | undefined>; cwd: string },
): Promise<{ code: number; stdout: string; stderr: string }> {
  const said = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof said) =>
    new PassThrough().setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
    });
  const code = await run({
    ...{ argv, env, cwd, stdin: new PassThrough(), stdout: stream('stdout'), stderr: stream('stderr') },
    signal: new AbortController().signal,
  });
  // What was written last is on its way still.
  await new Promise(setImmediate);
  return { code, ...said };
}
