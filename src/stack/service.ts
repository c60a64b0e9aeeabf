import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../domain/errors.ts';
import { lastLines, logEnd, openLog } from './log-file.ts';
import { identify, type ProcessIdentity, stopProcess } from './process-identity.ts';
import type { ProcessRecord, ProcessRecords } from './process-records.ts';
import { StackError } from './stack-error.ts';

/** How to run one program of the stack. */
export interface ServiceSpec extends Pick<ProcessRecord, 'name' | 'stopSignal' | 'stopWithinMs' | 'stopOrder'> {
  /** @param log a descriptor for its output */
  launch(log: number): ChildProcess;
  /** Resolves when it can be used; rejects when it says that it never will. */
  ready(child: ChildProcess, signal: AbortSignal): Promise<void>;
  readyWithinMs: number;
}

export type ServiceState = 'starting' | 'running' | 'restarting' | 'failed' | 'stopped';

export interface ServiceEvents {
  /** It ended without being asked to and is being started again. */
  restarting(service: Service, how: string): void;
  restarted(service: Service): void;
  /** It failed again and again and is given up. */
  failed(service: Service, error: StackError): void;
}

/** Starts in a row that may fail before a service is given up: it has never run, or it has. */
const ATTEMPTS = { first: 5, again: 12 };
/** One that ran this long was healthy: it comes back at once. */
const HEALTHY_MS = 10_000;

export const restartDelayMs = (failures: number): number => Math.min(5000, 100 * 2 ** failures);

/** One supervised process: started, watched, started again when it ends, stopped in the end. */
export class Service {
  readonly spec: ServiceSpec;
  readonly logPath: string;
  restarts = 0;
  state: ServiceState = 'starting';
  readonly #records: ProcessRecords;
  readonly #events: ServiceEvents;
  readonly #stopping = new AbortController();
  #identity: ProcessIdentity | null = null;
  #loop: Promise<void> = Promise.resolve();

  constructor(spec: ServiceSpec, options: { logs: string; records: ProcessRecords; events: ServiceEvents }) {
    this.spec = spec;
    this.logPath = join(options.logs, `${spec.name}.log`);
    this.#records = options.records;
    this.#events = options.events;
  }

  get pid(): number | null {
    return this.#identity?.pid ?? null;
  }

  /** Resolves when it can be used for the first time. @throws StackError `service_failed` with the last lines of its log. */
  start(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let ready = false;
    const onReady = () => {
      ready = true;
      resolve();
    };
    this.#loop = this.#supervise(onReady, reject).catch(async (cause: unknown) => {
      // Its log or its record could not be written: nobody would find the process after a crash, so it must not run.
      if (this.#identity !== null) await stopProcess(this.#identity, 'SIGKILL', 0);
      this.state = 'failed';
      const error = new StackError('service_failed', `${this.spec.name} could not be started: ${messageOf(cause)}`, cause);
      if (ready) this.#events.failed(this, error);
      else reject(error);
    });
    return promise;
  }

  /** Ends it for good. @returns when its process is gone */
  async stop(): Promise<void> {
    this.#stopping.abort();
    if (this.#identity !== null) await stopProcess(this.#identity, this.spec.stopSignal, this.spec.stopWithinMs);
    await this.#loop;
    this.state = 'stopped';
  }

  /** Ends the process at once, so that it is started anew: when what it depends on has died. */
  kill(): void {
    if (this.#identity !== null) void stopProcess(this.#identity, 'SIGKILL', 0);
  }

  async #supervise(onReady: () => void, onGivenUp: (error: StackError) => void): Promise<void> {
    let failures = 0;
    let first = true;
    while (!this.#stopping.signal.aborted) {
      const run = this.#launch();
      const problem = await this.#untilReady(run);
      if (problem === null) {
        this.state = 'running';
        const since = Date.now();
        if (first) onReady();
        else this.#events.restarted(this);
        first = false;
        const how = await run.ended;
        if (this.#stopping.signal.aborted) break;
        failures = Date.now() - since < HEALTHY_MS ? failures + 1 : 0;
        this.#events.restarting(this, how);
      } else {
        if (this.#identity !== null) await stopProcess(this.#identity, 'SIGKILL', 0);
        await run.ended;
        if (this.#stopping.signal.aborted) break;
        failures += 1;
        if (problem.final || failures >= (first ? ATTEMPTS.first : ATTEMPTS.again)) {
          this.state = 'failed';
          const error = problem.final ? problem.error : this.#giveUp(problem.error, failures, run.logFrom);
          if (first) onGivenUp(error);
          else this.#events.failed(this, error);
          return;
        }
      }
      this.restarts += 1;
      this.state = 'restarting';
      await delay(restartDelayMs(failures - 1), null, { signal: this.#stopping.signal }).catch(() => {});
    }
    if (first) onGivenUp(new StackError('stopped', `${this.spec.name} was stopped while it started`));
  }

  #launch() {
    const log = openLog(this.logPath);
    const logFrom = logEnd(log);
    const child = this.spec.launch(log);
    closeSync(log);
    const ended = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(`could not be started: ${messageOf(error)}`));
      child.once('exit', (code, signal) => resolve(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`));
    }).then((how) => {
      this.#identity = null;
      this.#records.remove(this.spec.name);
      return how;
    });
    this.#identity = child.pid === undefined ? null : identify(child.pid);
    if (this.#identity !== null) {
      const { name, stopSignal, stopWithinMs, stopOrder } = this.spec;
      this.#records.put({ name, stopSignal, stopWithinMs, stopOrder, ...this.#identity });
    }
    return { child, ended, logFrom };
  }

  /** Null when it is ready; else what was wrong, and whether trying again is pointless. */
  async #untilReady(run: { child: ChildProcess; ended: Promise<string> }): Promise<{ error: StackError; final: boolean } | null> {
    const watch = new AbortController();
    const timeout = AbortSignal.timeout(this.spec.readyWithinMs);
    const signal = AbortSignal.any([watch.signal, timeout, this.#stopping.signal]);
    try {
      const how = await Promise.race([
        this.spec.ready(run.child, signal).then(() => null),
        run.ended,
        once(signal, 'abort').then(() => `was not ready after ${this.spec.readyWithinMs / 1000} s`),
      ]);
      return how === null ? null : { error: new StackError('service_failed', how), final: false };
    } catch (error) {
      if (error instanceof StackError) return { error, final: true };
      return { error: new StackError('service_failed', messageOf(error), error), final: false };
    } finally {
      watch.abort();
    }
  }

  #giveUp(error: StackError, attempts: number, logFrom: number): StackError {
    const lines = lastLines(this.logPath, 8, logFrom).map((line) => `\n    ${line}`);
    return new StackError(
      'service_failed',
      `${this.spec.name} could not be started: it ${error.message} (${attempts} attempts). The end of ${this.logPath}:${lines.join('') || ' nothing'}`,
      error.cause,
    );
  }
}
