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
