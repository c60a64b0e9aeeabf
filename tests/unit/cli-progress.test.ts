import { describe, expect, it } from 'vitest';
import type { OutputStream } from '../../src/cli/output.ts';
import { createProgress, PLAIN_EVERY_MS } from '../../src/cli/progress.ts';
import { type MigrationState, startMigration } from '../../src/domain/migration.ts';
import { progressLine } from '../../src/domain/migration-line.ts';
import { addSample, remainingMs, type Sample, speed } from '../../src/domain/progress-estimate.ts';

const MIB = 1024 * 1024;
function state(files: number, bytes: number, rest: Partial<MigrationState> = {}): MigrationState {
  const start = startMigration(0);
  return {
    ...start,
    phase: 'copying',
    totals: { ...start.totals, listed: 100, listedBytes: 100 * MIB, uploaded: files, uploadedBytes: bytes },
    ...rest,
  };
}
function stream(isTTY: boolean, columns = 200) {
  const written: string[] = [];
  return { written, stream: { isTTY, columns, write: (text: string) => written.push(text) } as unknown as OutputStream };
}

describe('the estimate', () => {
  it('is bounded by the number of small files as well as by the bytes of large ones', () => {
    const now = { filesPerSecond: 10, bytesPerSecond: MIB };
    expect(remainingMs(now, { files: 100, bytes: MIB })).toBe(10_000);
    expect(remainingMs(now, { files: 1, bytes: 60 * MIB })).toBe(60_000);
  });

  it('is not given while nothing moves, and follows the files alone where all of them are there already', () => {
    expect(remainingMs({ filesPerSecond: 0, bytesPerSecond: 0 }, { files: 1, bytes: 1 })).toBeNull();
    expect(remainingMs({ filesPerSecond: 5, bytesPerSecond: 0 }, { files: 10, bytes: 100 })).toBe(2_000);
    expect(remainingMs({ filesPerSecond: 5, bytesPerSecond: 5 }, { files: 0, bytes: 0 })).toBe(0);
  });

  it('is made from the last half minute, not from the whole run', () => {
    let samples: Sample[] = [];
    for (let second = 0; second <= 100; second += 1)
      samples = addSample(samples, { atMs: second * 1000, files: second <= 50 ? second * 10 : 500 + (second - 50), bytes: 0 }, 30_000);
    expect(samples.length).toBeLessThanOrEqual(32);
    expect(speed(samples)?.filesPerSecond).toBeCloseTo(1);
  });

  it('has no speed from one sample', () => expect(speed([{ atMs: 5, files: 1, bytes: 1 }])).toBeNull());
});

describe('the line about a migration', () => {
  const samples: Sample[] = [
    { atMs: 0, files: 0, bytes: 0 },
    { atMs: 10_000, files: 50, bytes: 50 * MIB },
  ];

  it('tells files, bytes, rate, time left, what was there already and what failed', () => {
    expect(progressLine(state(50, 50 * MIB, { exhausted: true }), samples, null)).toBe(
      '50/100 files · 50.0 MiB/100 MiB · 5.0 MiB/s, 5.0 files/s · 10 s left · 0 there already · 0 failed',
    );
  });

  it('says with a plus that more may be listed, and uses what was counted meanwhile', () => {
    expect(progressLine(state(50, 50 * MIB), samples, null)).toContain('50/100+ files · 50.0 MiB · ');
    expect(progressLine(state(50, 50 * MIB), samples, { files: 150, bytes: 150 * MIB })).toContain(
      '50/150 files · 50.0 MiB/150 MiB · 5.0 MiB/s, 5.0 files/s · 20 s left',
    );
  });

  it('promises no end while it is paused', () => {
    const line = progressLine(state(50, 50 * MIB, { exhausted: true, phase: 'paused' }), samples, null);
    expect(line).toContain('paused');
    expect(line).not.toContain('left');
  });
});

describe('progress', () => {
  it('on a terminal is one line that is written over and never wraps', () => {
    const { written, stream: terminal } = stream(true, 40);
    let now = 0;
    const progress = createProgress(terminal, () => now);
    for (const files of [10, 20]) {
      now += 500;
      progress.show(state(files, files * MIB));
    }
    progress.end();
    expect(written).toHaveLength(3);
    for (const line of written.slice(0, 2)) {
      expect(line.startsWith('\r')).toBe(true);
      expect(line.replace('\r', '').replace('\u001b[K', '').length).toBeLessThanOrEqual(39);
    }
    expect(written[2]).toBe('\n');
  });

  it('elsewhere is a plain line every few seconds', () => {
    const { written, stream: pipe } = stream(false);
    let now = 0;
    const progress = createProgress(pipe, () => now);
    for (; now <= 3 * PLAIN_EVERY_MS; now += 500) progress.show(state(now / 500, 0));
    progress.end();
    expect(written).toHaveLength(4);
    expect(written.every((line) => /^\P{Cc}+\n$/u.test(line))).toBe(true);
  });
});
