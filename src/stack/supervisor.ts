import type { ChildProcess } from 'node:child_process';
import { freeBytes } from './disk.ts';
import { boundLog } from './log-file.ts';
import type { StatePaths } from './paths.ts';
import { identify } from './process-identity.ts';
import type { ProcessRecords } from './process-records.ts';
import { Service, type ServiceSpec } from './service.ts';
import { StackError } from './stack-error.ts';
import type { StackStatus } from './status.ts';
import { STOP_ORDER } from './stop-order.ts';
import { type WorkerServiceOptions, workerService } from './workers.ts';

const BOUND_LOGS_EVERY_MS = 60_000;
/** With less than this a database cannot go on. */
const FULL_BYTES = 20 * 1024 * 1024;

/** All services of one stack. */
export class Supervisor {
  readonly #paths: StatePaths;
  readonly #records: ProcessRecords;
  readonly #log: (line: string) => void;
  readonly #onFailure: (error: StackError) => void;
  readonly #services: Service[] = [];
  readonly #starting = new AbortController();
  readonly #logTimer: NodeJS.Timeout;
  /** Folders beside the state folder whose disk can run full. */
  readonly #folders: Set<string>;

  constructor(paths: StatePaths, records: ProcessRecords, log: (line: string) => void, onFailure: (error: StackError) => void) {
    this.#paths = paths;
    this.#records = records;
    this.#log = log;
    this.#onFailure = onFailure;
    this.#folders = new Set([paths.dir]);
    this.#logTimer = setInterval(() => {
      for (const service of this.#services) boundLog(service.logPath);
    }, BOUND_LOGS_EVERY_MS).unref();
  }

  /** Aborted when the stack is stopped while it starts. */
  get signal(): AbortSignal {
    return this.#starting.signal;
  }

  /** Starts a service and watches it from then on. @param onEnd called whenever it has ended without being asked to */
  async start(spec: ServiceSpec, onEnd?: () => void): Promise<void> {
    if (this.signal.aborted) throw new StackError('stopped', 'The stack was stopped while it started');
    const service = new Service(spec, {
      logs: this.#paths.logs,
      records: this.#records,
      events: {
        restarting: (_service, how) => {
          const full = this.#fullFolder();
          this.#log(`${spec.name} ${how}; starting it again.${full === undefined ? '' : ` There is no space left in ${full}.`}`);
          onEnd?.();
        },
        restarted: () => this.#log(`${spec.name} runs again.`),
        failed: (_service, error) => this.#onFailure(this.#explain(error)),
      },
    });
    this.#services.push(service);
    await service.start().catch((error: unknown) => {
      throw error instanceof StackError ? this.#explain(error) : error;
    });
  }

  async startWorkers(count: number, options: WorkerServiceOptions): Promise<void> {
    await Promise.all(Array.from({ length: count }, (_, index) => this.start(workerService(index + 1, options))));
  }

  /** Ends a service at once; it is started anew. */
  restart(name: string): void {
    this.#services.find((service) => service.spec.name === name)?.kill();
  }

  watchDisk(folder: string): void {
    this.#folders.add(folder);
  }

  /** A helper that is not a service, so that it does not outlive a supervisor that is killed. */
  track(name: string, child: ChildProcess): void {
    const identity = child.pid === undefined ? null : identify(child.pid);
    if (identity === null) return;
    this.#records.put({ name, ...identity, stopSignal: 'SIGKILL', stopWithinMs: 0, stopOrder: STOP_ORDER.build });
    child.once('exit', () => this.#records.remove(name));
  }

  status(): StackStatus['services'] {
    return this.#services.map(({ spec, pid, state, restarts }) => ({ name: spec.name, pid, state, restarts }));
  }

  async stop(): Promise<void> {
    this.#starting.abort();
    clearInterval(this.#logTimer);
    for (const order of [...new Set(Object.values(STOP_ORDER))].sort((a, b) => a - b))
      await Promise.all(this.#services.filter(({ spec }) => spec.stopOrder === order).map((service) => service.stop()));
  }

  #fullFolder(): string | undefined {
    return [...this.#folders].find((folder) => freeBytes(folder) < FULL_BYTES);
  }

  #explain(error: StackError): StackError {
    const full = this.#fullFolder();
    return full === undefined ? error : new StackError('disk_full', `There is no space left in ${full}. ${error.message}`, error.cause);
  }
}
