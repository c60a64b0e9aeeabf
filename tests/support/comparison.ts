import { randomUUID } from 'node:crypto';
import type { ComparisonRecord } from '../../src/ledger/rollout-ledger.ts';

/** A comparison in which both sides did the same. */
export const comparisonOf = (tool: string, more: Partial<ComparisonRecord> = {}): ComparisonRecord => ({
  tool,
  operation: 'upload',
  operationId: randomUUID(),
  step: 1,
  control: { sizeBytes: 1 },
  candidate: { sizeBytes: 1 },
  pair: 'neither',
  mismatches: [],
  noiseMismatches: null,
  controlMs: 10,
  candidateMs: 20,
  rules: { fields: null, ignore: [], clean: {}, timing: null },
  ...more,
});
