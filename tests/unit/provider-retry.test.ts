import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FileManagementError } from '../../src/domain/errors.ts';
import { throttledProgress } from '../../src/providers/progress.ts';
import { backoffMs, withRetries } from '../../src/providers/retry.ts';
import { startWatchdog, TimeoutReached, transferLimits } from '../../src/providers/watchdog.ts';

const failure = (more: object = {}) => new FileManagementError('x', { code: 'x', retryable: true, ...more });
const signal = new AbortController().signal;

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }));
afterEach(() => void vi.useRealTimers());

describe('retries', () => {
  const noWait = { baseMs: 0, capMs: 0, budgetMs: 1000 };

  test('wait longer and longer, up to a cap, at random from nothing on', () => {
    const policy = { baseMs: 200, capMs: 10_000 };
    expect([0, 1, 2, 5, 6, 60].map((retry) => backoffMs(retry, policy, () => 1))).toEqual([200, 400, 800, 6400, 10_000, 10_000]);
    expect(backoffMs(3, policy, () => 0)).toBe(0);
    expect(backoffMs(3, policy, () => 0.5)).toBe(800);
  });

  test('are as many as allowed, and then throw the last error', async () => {
    const errors = [failure(), failure(), failure(), failure()];
    let attempts = 0;
    const work = withRetries({ ...noWait, maxRetries: 2 }, signal, async () => {
      throw errors[attempts++];
    });
    await expect(work).rejects.toBe(errors[2]);
    expect(attempts).toBe(3);
  });

  test.each([failure({ retryable: false }), new TypeError('a mistake of ours')])('are none for %s', async (error) => {
    let attempts = 0;
    const work = withRetries({ ...noWait, maxRetries: 5 }, signal, async () => {
      attempts += 1;
      throw error;
    });
    await expect(work).rejects.toBe(error);
    expect(attempts).toBe(1);
  });

  test('end where the budget would be passed by waiting as long as was asked', async () => {
    let attempts = 0;
    const error = failure({ retryAfterMs: 1000 });
    const work = withRetries({ ...noWait, maxRetries: 5 }, signal, async () => {
      attempts += 1;
      throw error;
    });
    await expect(work).rejects.toBe(error);
    expect(attempts).toBe(1);
  });
});

describe('the watchdog', () => {
  const limits = { idleMs: 100, totalMs: 1000 };
  const reason = (watched: AbortSignal) => (watched.reason as Error | undefined)?.message;

  test('lets a transfer live as long as bytes move, but no longer than its whole time', () => {
    const dog = startWatchdog(signal, limits);
    for (let waited = 0; waited < 990; waited += 90) {
      expect(dog.signal.aborted).toBe(false);
      vi.advanceTimersByTime(90);
      dog.touch();
    }
    vi.advanceTimersByTime(20);
    expect(dog.signal.reason).toBeInstanceOf(TimeoutReached);
    expect(reason(dog.signal)).toBe('not done after 1 s');
  });

  test('ends one in which nothing moves', () => {
    const dog = startWatchdog(signal, limits);
    vi.advanceTimersByTime(101);
    expect(reason(dog.signal)).toBe('no byte moved for 0.1 s');
  });

  test('does not hold it against the other side when we are slow', () => {
    const dog = startWatchdog(signal, limits);
    dog.pause();
    vi.advanceTimersByTime(500);
    expect(dog.signal.aborted).toBe(false);
    dog.touch();
    vi.advanceTimersByTime(101);
    expect(dog.signal.aborted).toBe(true);
  });

  test('passes the caller’s abort on with its reason, and leaves no timer and no listener', () => {
    const controller = new AbortController();
    const dog = startWatchdog(controller.signal, limits);
    controller.abort('stop');
    expect(dog.signal.reason).toBe('stop');
    expect(vi.getTimerCount()).toBe(0);
    expect(startWatchdog(controller.signal, limits).signal.reason).toBe('stop');
    const other = startWatchdog(signal, limits);
    other.stop();
    vi.advanceTimersByTime(5000);
    expect(other.signal.aborted).toBe(false);
  });

  test('gives a transfer the time of a small call and size ÷ slowest rate', () => {
    const timeouts = { callMs: 30_000, idleMs: 30_000, minBytesPerSecond: 65_536 };
    expect(transferLimits(timeouts, 0)).toEqual({ idleMs: 30_000, totalMs: 30_000 });
    expect(transferLimits(timeouts, 2 ** 30).totalMs).toBe(30_000 + 16_384_000);
    const dog = startWatchdog(signal, transferLimits(timeouts, Number.POSITIVE_INFINITY));
    dog.pause();
    vi.advanceTimersByTime(86_400_000);
    expect(dog.signal.aborted).toBe(false);
    dog.stop();
  });
});

test('progress comes four times a second at most, never goes back, and the last one always comes', () => {
  const seen: number[] = [];
  const report = throttledProgress((bytes) => seen.push(bytes));
  for (let bytes = 10; bytes <= 1000; bytes += 10) {
    vi.advanceTimersByTime(10);
    report(bytes);
  }
  report(500);
  report(1001, true);
  expect(seen).toEqual([10, 260, 510, 760, 1001]);
});
