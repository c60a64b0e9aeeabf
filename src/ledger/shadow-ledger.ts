import type { FileCopy } from '../domain/models.ts';
import type { ComparisonRecord, ShadowReport } from './rollout-ledger.ts';

/** A copy that a comparison has made, and its content. */
export type ShadowCopy = FileCopy & { sha256: string; sizeBytes: number };

export interface ShadowSample {
  tool: string;
  /** The epoch of the tool. */
  step: number;
  maxPerMinute: number;
  /** 0: no end. */
  durationSeconds: number;
  /** ISO 8601; null: since the first sample. */
  beganAt: string | null;
}

/** Whether an operation may be compared now, or why not. */
export type Sampled = 'taken' | 'rate' | 'open' | 'over';

/** What shadow comparisons share between all processes. Errors are those of the ledger. */
export interface ShadowLedger {
  /** Counts the sample where it is taken. */
  takeSample(sample: ShadowSample): Promise<Sampled>;
  /** False when this operation was compared before. @param breaker when shadowing is to rest */
  recordComparison(
    comparison: ComparisonRecord,
    breaker?: { threshold: number; minSamples: number; cooldownSeconds: number },
  ): Promise<boolean>;
  /** @param since ISO 8601; null: all */
  shadowReport(tool: string, since: string | null, examples: number): Promise<ShadowReport>;
  /** What an upload into quarantine has left, finished or not. */
  shadowCopies(idempotencyKey: string): Promise<ShadowCopy[]>;
  /** False while its upload is under way. Idempotent. */
  deleteShadowCopy(copyId: string): Promise<boolean>;
}
