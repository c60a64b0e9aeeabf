import { processSource } from '../config/index.ts';
import { EXIT } from './exit-codes.ts';
import { run } from './main.ts';

/** The process behind `bin/cutover.js`: its arguments, streams and signals. Repeated signals mean what the first one did. */
export async function start(): Promise<void> {
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupted.abort());
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // `cutover list | head`: the reader has what it wanted.
    if (error.code === 'EPIPE') process.exit(EXIT.ok);
    throw error;
  });
  const code = await run({
    ...processSource(),
    argv: process.argv.slice(2),
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    signal: interrupted.signal,
  });
  await new Promise((flushed) => process.stdout.write('', flushed));
  // At once: a call that Temporal's client repeats by itself would find its connection closed, and end us with an uncaught error.
  process.exit(code);
}
