/** Passes on at most one report per `intervalMs`; never one that goes back, as after a retry. */
export function throttledProgress(
  report: ((bytes: number) => void) | undefined,
  intervalMs = 250,
): (bytes: number, last?: boolean) => void {
  let reportedAt = -Infinity;
  let highest = -1;
  return (bytes, last = false) => {
    const now = performance.now();
    if (report === undefined || bytes <= highest || (!last && now - reportedAt < intervalMs)) return;
    reportedAt = now;
    highest = bytes;
    report(bytes);
  };
}

/** Passes chunks on and reports their running sum, from `start`, each time the receiver asks for more. */
export async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  start: number,
  report: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = start;
  for await (const chunk of chunks) {
    yield chunk;
    bytes += chunk.byteLength;
    report(bytes);
  }
}
