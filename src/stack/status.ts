import { existsSync } from 'node:fs';
import { z } from 'zod';
import { askHolder, type Lock, takeLock, waitForRelease } from './lock.ts';
import { StackError } from './stack-error.ts';

const ServiceStatus = z.object({ name: z.string(), pid: z.number().nullable(), state: z.string(), restarts: z.number() });

/** What the holder of a state folder tells of itself to anybody on this machine: no secrets. */
export const StackStatus = z.object({
  /** `cleaning`: after a crash, for a moment. */
  state: z.enum(['starting', 'running', 'stopping', 'cleaning']),
  /** Above 0, because others are whole groups of processes to a signal. */
  pid: z.number().int().positive(),
  since: z.string(),
  temporalAddress: z.string().nullable().default(null),
  temporalUiUrl: z.string().nullable().default(null),
  supabaseUrl: z.string().nullable().default(null),
  services: z.array(ServiceStatus).default([]),
});
export type StackStatus = z.infer<typeof StackStatus>;

const CLEANING_WITHIN_MS = 60_000;

/** The stack that runs in this state folder; null when none does. */
export async function readStatus(stateDir: string): Promise<StackStatus | null> {
  if (!existsSync(stateDir)) return null;
  return StackStatus.safeParse(await askHolder(stateDir, { command: 'status' })).data ?? null;
}

/** Takes the state folder for this process. @throws StackError `already_running` telling where */
export async function holdFolder(stateDir: string, status: () => StackStatus): Promise<Lock> {
  for (;;) {
    const lock = await takeLock(stateDir, status);
    if (lock !== null) return lock;
    const other = await readStatus(stateDir);
    if (other === null || other.state === 'cleaning' || other.state === 'stopping') {
      if (await waitForRelease(stateDir, CLEANING_WITHIN_MS)) continue;
      throw new StackError('already_running', `Another process holds ${stateDir} and does not answer.`);
    }
    throw new StackError('already_running', describeRunning(stateDir, other));
  }
}

function describeRunning(stateDir: string, { pid, since, state, temporalUiUrl }: StackStatus): string {
  const ui = temporalUiUrl === null ? '' : `, Temporal UI at ${temporalUiUrl}`;
  return `The stack in ${stateDir} ${state === 'starting' ? 'is being started' : 'is running'} already: pid ${pid}, since ${since}${ui}. Stop it with \`npx cutover down\`, or set CUTOVER_STATE_DIR to start another one.`;
}

/**
 * Asks the stack of a folder to stop, and waits until it has. A signal, so that the system decides who may.
 * @returns the stack that was stopped; null when none ran. @throws StackError when it cannot be signalled or does not stop
 */
export async function stopRunning(stateDir: string, withinMs = 90_000): Promise<StackStatus | null> {
  const running = await readStatus(stateDir);
  if (running === null) return null;
  if (running.state !== 'cleaning') signal(running.pid, stateDir);
  if (await waitForRelease(stateDir, withinMs)) return running;
  throw new StackError('service_failed', `The stack in ${stateDir} (pid ${running.pid}) has not stopped after ${withinMs / 1000} s.`);
}

function signal(pid: number, stateDir: string): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ESRCH') return;
    throw new StackError('service_failed', `The stack in ${stateDir} (pid ${pid}) belongs to another user: stop it as that user.`, cause);
  }
}
