/** The work, or the signal's reason as soon as that comes. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => undefined);
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/** The work, or what `over` makes once so many ms have passed. The waiting alone keeps no process alive. */
export function within<T>(ms: number, work: Promise<T>, over: () => Error): Promise<T> {
  work.catch(() => undefined);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(over()), ms).unref();
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
