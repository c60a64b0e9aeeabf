/** How long a provider call may take. */
export interface CallTimeouts {
  /** A small call, in ms (TOOL_TIMEOUT_SECONDS). */
  callMs: number;
  /** Longest time without a byte moving in a transfer, in ms (TRANSFER_IDLE_TIMEOUT_SECONDS). */
  idleMs: number;
  /** Slowest transfer that is still alive (TRANSFER_MIN_BYTES_PER_SECOND): bounds the whole of it, so that a trickle ends. */
  minBytesPerSecond: number;
}

export interface Limits {
  idleMs: number;
  totalMs: number;
}

export const callLimits = ({ callMs }: CallTimeouts): Limits => ({ idleMs: callMs, totalMs: callMs });

/** The limits of one transfer: the time of a small call and, on top, size ÷ slowest rate. */
export function transferLimits(timeouts: CallTimeouts, sizeBytes: number): Limits {
  return { idleMs: timeouts.idleMs, totalMs: timeouts.callMs + (sizeBytes / timeouts.minBytesPerSecond) * 1000 };
}

/** The limits of a copy that the server makes itself: as for a transfer, but no byte moves on the line. */
export function copyLimits(timeouts: CallTimeouts, sizeBytes: number): Limits {
  const { totalMs } = transferLimits(timeouts, sizeBytes);
  return { idleMs: totalMs, totalMs };
}

/** A limit was passed. */
export class TimeoutReached extends Error {
  override readonly name = 'TimeoutReached';
}

export interface Watchdog {
  /** Aborts when the caller's signal does, or when a limit is passed (reason: TimeoutReached). */
  readonly signal: AbortSignal;
  /** A byte moved. */
  touch(): void;
  /** Waiting for our own side does not count as idle. */
  pause(): void;
  stop(): void;
  /** The first answer is there: from now on, these limits. */
  restart(limits: Limits): void;
}

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Watches one exchange. One controller per exchange, because AbortSignal.any on a long-lived signal keeps memory. */
export function startWatchdog(caller: AbortSignal, first: Limits): Watchdog {
  let limits = first;
  const controller = new AbortController();
  const stop = () => {
    clearTimeout(idle);
    clearTimeout(total);
    caller.removeEventListener('abort', onAbort);
  };
  const expire = (message: string) => {
    stop();
    controller.abort(new TimeoutReached(message));
  };
  const timer = (ms: number, message: string) => setTimeout(() => expire(message), Math.min(ms, LONGEST_TIMER_MS));
  const startIdle = () => timer(limits.idleMs, `no byte moved for ${limits.idleMs / 1000} s`);
  const onAbort = () => {
    stop();
    controller.abort(caller.reason);
  };
  let paused = false;
  let idle = startIdle();
  const startTotal = () => timer(limits.totalMs, `not done after ${Math.round(limits.totalMs / 100) / 10} s`);
  let total = startTotal();
  if (caller.aborted) onAbort();
  else caller.addEventListener('abort', onAbort, { once: true });
  return {
    signal: controller.signal,
    touch() {
      if (controller.signal.aborted) return;
      if (paused) idle = startIdle();
      else idle.refresh();
      paused = false;
    },
    pause() {
      clearTimeout(idle);
      paused = true;
    },
    stop,
    restart(next) {
      if (controller.signal.aborted) return;
      clearTimeout(idle);
      clearTimeout(total);
      limits = next;
      idle = startIdle();
      total = startTotal();
    },
  };
}
