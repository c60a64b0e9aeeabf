import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('worker-program.ts', import.meta.url));

/** A worker in a process of its own, to be killed. It takes tasks when this resolves, and ends with us. */
export async function startWorkerProcess(cwd: string, env: Record<string, string | undefined>): Promise<ChildProcess> {
  const child = fork(program, { cwd, env: env as NodeJS.ProcessEnv, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`the worker ended with ${code}`);
    }),
  ]);
  return child;
}

/** As a machine does that is switched off. */
export async function killed(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}
