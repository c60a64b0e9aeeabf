import { stripVTControlCharacters } from 'node:util';
import { filesDone, type MigrationState } from '../domain/migration.ts';
import { type Expected, progressLine } from '../domain/migration-line.ts';
import { addSample, type Sample } from '../domain/progress-estimate.ts';
import type { OutputStream } from './output.ts';

/** The speed that is shown is that of the last half minute. */
const WINDOW_MS = 30_000;
/** How often a plain line is written where there is no terminal. */
export const PLAIN_EVERY_MS = 5_000;

export interface Progress {
  show(state: MigrationState): void;
  /** What the source holds was counted meanwhile. */
  expect(expected: Expected): void;
  /** Leaves the last line standing and the cursor below it. */
  end(): void;
}

/** On a terminal one line that is written over; elsewhere a plain line every few seconds, for logs. */
export function createLiveLine(stream: OutputStream, now: () => number): { show(line: string): void; end(): void } {
  let plainAt = Number.NEGATIVE_INFINITY;
  let last = '';
  let open = false;
  return {
    show(line) {
      if (stream.isTTY === true) {
        const width = (stream.columns ?? 80) - 1;
        stream.write(`\r${stripVTControlCharacters(line).slice(0, width)}\u001b[K`);
        open = true;
      } else if (line !== last && now() - plainAt >= PLAIN_EVERY_MS) {
        stream.write(`${line}\n`);
        plainAt = now();
      }
      last = line;
    },
    end() {
      if (open) stream.write('\n');
      open = false;
    },
  };
}

/** A migration's line, with the speed of the last half minute. */
export function createProgress(stream: OutputStream, now: () => number): Progress {
  const line = createLiveLine(stream, now);
  let samples: Sample[] = [];
  let expected: Expected | null = null;
  return {
    show(state) {
      const { totals } = state;
      samples = addSample(
        samples,
        { atMs: now(), files: filesDone(totals), bytes: totals.uploadedBytes + totals.deduplicatedBytes },
        WINDOW_MS,
      );
      line.show(progressLine(state, samples, expected));
    },
    expect(counted) {
      expected = counted;
    },
    end: line.end,
  };
}
