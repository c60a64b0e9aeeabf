/** How far something has come: what was done until `atMs`, in files and bytes. */
export interface Sample {
  atMs: number;
  files: number;
  bytes: number;
}

export interface Speed {
  filesPerSecond: number;
  bytesPerSecond: number;
}

/** The speed over the samples that are kept: from the first to the last. Null while there is nothing to tell it from. */
export function speed(samples: readonly Sample[]): Speed | null {
  const first = samples[0];
  const last = samples.at(-1);
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return null;
  const seconds = (last.atMs - first.atMs) / 1000;
  return { filesPerSecond: (last.files - first.files) / seconds, bytesPerSecond: (last.bytes - first.bytes) / seconds };
}

/**
 * Milliseconds until all is done at this speed: many small files are bounded by their number, few large ones by their bytes,
 * so the longer of both. Null when nothing moves, because then nobody knows.
 */
export function remainingMs(speed: Speed, left: { files: number; bytes: number }): number | null {
  const needs = [
    { amount: left.files, perSecond: speed.filesPerSecond },
    { amount: left.bytes, perSecond: speed.bytesPerSecond },
  ].filter(({ amount }) => amount > 0);
  if (needs.some(({ perSecond }) => perSecond <= 0)) {
    // Deduplicated files move no bytes: then their number alone tells.
    return speed.filesPerSecond > 0 ? (left.files / speed.filesPerSecond) * 1000 : null;
  }
  return Math.max(0, ...needs.map(({ amount, perSecond }) => (amount / perSecond) * 1000));
}

/** Adds a sample and drops those that are older than `windowMs`, but never below two. */
export function addSample(samples: readonly Sample[], sample: Sample, windowMs: number): Sample[] {
  const all = [...samples, sample];
  const from = all.findIndex(({ atMs }) => atMs >= sample.atMs - windowMs);
  return all.slice(Math.max(0, Math.min(from - 1, all.length - 2)));
}
