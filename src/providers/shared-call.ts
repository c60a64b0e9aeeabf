/**
 * One call for all who ask while it runs. Who gives up waiting does not end it for the others; it is aborted when nobody waits
 * for it any more.
 */
export function sharedCall<T>(work: (signal: AbortSignal) => Promise<T>): (signal: AbortSignal) => Promise<T> {
  let current: { answer: Promise<T>; controller: AbortController; waiting: number } | null = null;

  function begin() {
    const controller = new AbortController();
    const call = { answer: work(controller.signal), controller, waiting: 0 };
    const end = () => {
      if (current === call) current = null;
    };
    call.answer.then(end, end);
    return call;
  }
  return async (signal) => {
    signal.throwIfAborted();
    current ??= begin();
    const call = current;
    const { promise: givenUp, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    call.waiting += 1;
    try {
      return await Promise.race([call.answer, givenUp]);
    } finally {
      signal.removeEventListener('abort', onAbort);
      call.waiting -= 1;
      if (call.waiting === 0) {
        call.controller.abort(signal.reason);
        if (current === call) current = null;
      }
    }
  };
}
