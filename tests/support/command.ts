import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../bin/cutover.js', import.meta.url));

export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Starts `cutover …` as a person would, with the environment given and nothing else. */
export function startCommand(
  args: readonly string[],
  options: { cwd: string; env: Record<string, string | undefined> },
): { child: ChildProcess; said: Omit<Ran, 'code'>; ended: Promise<Ran> } {
  const child = spawn(process.execPath, [program, ...args], { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
    });
  return { child, said, ended: new Promise((resolve) => child.once('close', (code) => resolve({ code, ...said }))) };
}
