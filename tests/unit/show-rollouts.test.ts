import { expect, test, vi } from 'vitest';
import { showRollouts } from '../../src/manager/show-rollouts.ts';

/** Gauges that show what they were told, and a ledger that answers as a test says. */
function shown(rollouts: () => Promise<never[]>) {
  let collect = async (): Promise<void> => undefined;
  const told: unknown[][] = [];
  const warnings: string[] = [];
  const gauges = {
    onScrape(collector: () => Promise<void>) {
      collect = collector;
    },
    rollouts: (all: readonly unknown[]) => told.push([...all]),
  };
  showRollouts(gauges, { rollouts, evidence: async () => expect.fail('nobody ramps') }, (message) => warnings.push(message));
  return { scrape: () => collect(), told, warnings };
}

test('The ledger is asked at most every five seconds, however many ask for the metrics', async () => {
  const asked = vi.fn(async () => []);
  const { scrape } = shown(asked);
  for (let at = 0; at < 5; at += 1) await scrape();
  expect(asked).toHaveBeenCalledTimes(1);
});

test('While it is away nothing is shown, the reason is told, and the scrape goes on', async () => {
  const { scrape, told, warnings } = shown(() => Promise.reject(new Error('the ledger is away')));
  await scrape();
  expect([told, warnings]).toEqual([[[]], [expect.stringContaining('the ledger is away')]]);
});

test('One that does not answer is not waited for', async () => {
  vi.useFakeTimers();
  try {
    const { scrape, warnings } = shown(() => new Promise(() => undefined));
    const scraped = scrape();
    await vi.advanceTimersByTimeAsync(3_000);
    await scraped;
    expect(warnings).toEqual([expect.stringContaining('did not answer within 3000 ms')]);
  } finally {
    vi.useRealTimers();
  }
});
