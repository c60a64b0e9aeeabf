import { judge, NO_EVIDENCE } from '../domain/judge.ts';
import type { RolloutPlan } from '../domain/rollout.ts';
import { evidenceOf } from '../domain/rollout-evidence.ts';
import type { RolloutLedger, RolloutRecord } from '../ledger/rollout-ledger.ts';

/** What is in force for a tool, and what its ramp's present step has seen. */
export interface RolloutSnapshot {
  tool: string;
  /** In per cent. */
  share: number;
  /** Tests that have a figure; none where no ramp is under way. */
  evidence: { test: string; value: number; limit: number }[];
}

const RAMPING: ReadonlySet<RolloutRecord['status']> = new Set(['running', 'paused', 'awaiting_approval', 'guarding']);

/** Of every tool about which something was decided. Reads only. */
export async function rolloutSnapshots(ledger: Pick<RolloutLedger, 'rollouts' | 'evidence'>): Promise<RolloutSnapshot[]> {
  return await Promise.all(
    (await ledger.rollouts()).map(async (record) => ({
      tool: record.tool,
      share: record.share,
      evidence: RAMPING.has(record.status) ? await figuresOf(record, ledger) : [],
    })),
  );
}

async function figuresOf(
  { tool, epoch, share, settings }: RolloutRecord,
  ledger: Pick<RolloutLedger, 'evidence'>,
): Promise<RolloutSnapshot['evidence']> {
  const { rules } = settings as unknown as Partial<RolloutPlan>;
  if (rules === undefined) return [];
  const evidence = evidenceOf(await ledger.evidence(tool, epoch), share, NO_EVIDENCE, rules);
  // Time is not asked about here.
  const { opinions } = judge(rules, evidence, { bakedMs: 0, bakeMs: 0 });
  return opinions.flatMap(({ test, value, limit }) => (value === null || test === 'bake_time' ? [] : [{ test, value, limit }]));
}
