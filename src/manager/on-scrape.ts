import { messageOf } from '../domain/errors.ts';
import { within } from './waiting.ts';

/** Where figures of the ledger are shown: the metrics of a process. */
export interface Scraped {
  /** Called whenever somebody asks for the metrics. */
  onScrape(collect: () => Promise<void>): void;
}

/** Prometheus asks every few seconds, and there may be many who ask: the ledger hears of it this often. */
const FRESH_MS = 5_000;
/** A scrape is given up after ten seconds. */
const LEDGER_MS = 3_000;

export interface Shown<T> {
  /** For the warning: `the rollouts`. */
  what: string;
  read(): Promise<T>;
  show(value: T): void;
  /** While the ledger is away. */
  hide?(): void;
}

/** What is the ledger's and not a worker's: each scrape shows what is in force, whichever worker decided it. */
export function showOnScrape<T>(metrics: Scraped, { what, read, show, hide }: Shown<T>, warn: (message: string) => void): void {
  let readMs = Number.NEGATIVE_INFINITY;
  metrics.onScrape(async () => {
    if (performance.now() - readMs < FRESH_MS) return;
    readMs = performance.now();
    try {
      show(await within(LEDGER_MS, read(), () => new Error(`the ledger did not answer within ${LEDGER_MS} ms`)));
    } catch (error) {
      hide?.();
      warn(`${what} cannot be read for the metrics: ${messageOf(error)}`);
    }
  });
}
