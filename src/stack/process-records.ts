import { z } from 'zod';
import { readIfThere, writeAtomically } from './atomic-file.ts';
import { isDiskFull } from './disk.ts';
import { isRunning, stopProcess } from './process-identity.ts';

/** What is known of a running process by whoever must stop it after a crash of its supervisor. */
const ProcessRecord = z.object({
  name: z.string(),
  pid: z.number().int().positive(),
  started: z.string(),
  stopSignal: z.enum(['SIGTERM', 'SIGINT', 'SIGKILL']),
  stopWithinMs: z.number(),
  /** Lower stops earlier. */
  stopOrder: z.number(),
});
export type ProcessRecord = z.infer<typeof ProcessRecord>;

const AGAIN_AFTER_MS = 1000;

/** The processes of one stack, on disk before anything else can happen to them; on a full disk, as soon as there is room. */
export class ProcessRecords {
  readonly #path: string;
  #again: NodeJS.Timeout | undefined;
  readonly #records = new Map<string, ProcessRecord>();

  constructor(path: string) {
    this.#path = path;
  }

  put(record: ProcessRecord): void {
    this.#records.set(record.name, record);
    this.#write();
  }

  remove(name: string): void {
    if (!this.#records.delete(name)) return;
    try {
      this.#write();
    } catch {
      // A full disk: the record of a process that has ended does no harm.
    }
  }

  #write(): void {
    clearTimeout(this.#again);
    try {
      writeAtomically(this.#path, `${JSON.stringify([...this.#records.values()], null, 2)}\n`);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      // Keeping records must not end what runs. A record of a process that is gone does no harm.
      if (this.#records.size > 0) this.#again = setTimeout(() => this.#write(), AGAIN_AFTER_MS).unref();
    }
  }
}

/** Those of the recorded processes that run now. An unreadable file is one without processes. */
export function runningProcesses(path: string): ProcessRecord[] {
  let content: unknown;
  try {
    content = JSON.parse(readIfThere(path) ?? '[]');
  } catch {
    return [];
  }
  const parsed = z.array(ProcessRecord).safeParse(content);
  return parsed.success ? parsed.data.filter(isRunning) : [];
}

/** Stops what a dead supervisor left, in order. @returns the names of what was stopped */
export async function stopLeftovers(path: string): Promise<string[]> {
  const left = runningProcesses(path);
  for (const order of [...new Set(left.map((record) => record.stopOrder))].sort((a, b) => a - b))
    await Promise.all(
      left.filter((record) => record.stopOrder === order).map((record) => stopProcess(record, record.stopSignal, record.stopWithinMs)),
    );
  return left.map((record) => record.name);
}
