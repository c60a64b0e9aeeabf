import type { Comparison, ComparisonRules, JsonValue, Pair } from '../domain/comparison.ts';
import type { OutcomeCounts } from '../domain/outcome-counts.ts';
import type { SeenMinute } from '../domain/rejudge.ts';
import type { CountedEvidence } from '../domain/rollout-evidence.ts';
import type { Stage } from '../domain/routing.ts';

/** What is in force for a tool. */
export interface RolloutRecord {
  tool: string;
  stage: Stage;
  /** Per cent of users whom unified serves in the stage `live`. */
  share: number;
  status: 'idle' | 'running' | 'paused' | 'awaiting_approval' | 'guarding' | 'completed' | 'rolled_back';
  /** From 0. */
  step: number;
  steps: number[];
  /** The plan of the ramp, as it was started. */
  settings: Record<string, JsonValue>;
  /** Counts the steps of all ramps of the tool; outcomes and comparisons carry it. */
  epoch: number;
  workflowId: string | null;
  runId: string | null;
  reason: string | null;
  startedAt: string | null;
  updatedAt: string;
}

/** A change of what is in force, with its reason. What `state` does not name stays. */
export interface RolloutDecision {
  /** A UUID, the same when it is sent again. */
  decisionId: string;
  tool: string;
  decision: string;
  decidedBy: string;
  reason: string;
  /** `nextEpoch`: a new step begins, which is judged by what is seen from now on. */
  state: Partial<Pick<RolloutRecord, 'stage' | 'share' | 'status' | 'step' | 'steps'>> & {
    settings?: Readonly<Record<string, unknown>>;
    nextEpoch?: boolean;
  };
  workflowId: string | null;
  runId: string | null;
  /** In numbers. */
  evidence: Readonly<Record<string, unknown>>;
}

/** A line of the audit. */
export interface RolloutEvent {
  id: number;
  tool: string;
  at: string;
  decision: string;
  decidedBy: string;
  reason: string;
  stageBefore: Stage | null;
  stageAfter: Stage | null;
  shareBefore: number | null;
  shareAfter: number | null;
  step: number | null;
  workflowId: string | null;
  evidence: Record<string, JsonValue>;
}

/** One shadow comparison: no contents and no secrets. */
export interface ComparisonRecord extends Comparison {
  tool: string;
  operation: string;
  operationId: string;
  /** The epoch of the tool when the operation was sampled. */
  step: number;
  control: JsonValue;
  candidate: JsonValue;
  /** Null: there was no second control run. */
  noiseMismatches: string[] | null;
  controlMs: number;
  candidateMs: number;
  rules: ComparisonRules;
}

export interface ShadowReport {
  comparisons: number;
  matched: number;
  withNoise: number;
  pairs: Partial<Record<Pair, number>>;
  /** The most frequent first. */
  fields: { field: string; differing: number; noise: number }[];
  examples: Record<string, JsonValue>[];
  /** Quantiles 0.5, 0.95 and 0.99; null where there are none. */
  timingMs: { control: number[] | null; candidate: number[] | null };
}

/** What a facade asks for every few seconds. */
export interface FacadeState {
  rollouts: Pick<RolloutRecord, 'tool' | 'stage' | 'share' | 'epoch' | 'status'>[];
  settings: Record<string, JsonValue>;
}

/** The tables of rollouts and outcomes, and what operators set. Errors are those of the ledger. */
export interface RolloutLedger {
  /** The state and the audit's line are one transaction. Idempotent by `decisionId`. Answers what is in force then. */
  decide(decision: RolloutDecision): Promise<RolloutRecord>;
  /**
   * The same, where the tool is still where it was when the decision was taken (null: nothing was decided about it).
   * @throws LedgerError `stage_moved`
   */
  moveStage(decision: RolloutDecision, from: Pick<RolloutRecord, 'stage' | 'epoch'> | null): Promise<RolloutRecord>;
  /** Null where nothing was ever decided about the tool. */
  rollout(tool: string): Promise<RolloutRecord | null>;
  rollouts(): Promise<RolloutRecord[]>;
  /** The oldest first, after an id. */
  events(tool: string, page: { after: number | null; limit: number }): Promise<RolloutEvent[]>;
  /** Of one step of a tool. */
  evidence(tool: string, epoch: number): Promise<CountedEvidence>;
  /** The same, minute by minute, for judging again. */
  stepMinutes(tool: string, epoch: number): Promise<SeenMinute[]>;
  /** Adds counts. False when this batch was added before. */
  recordOutcomes(batchId: string, counts: readonly OutcomeCounts[]): Promise<boolean>;
  facadeState(): Promise<FacadeState>;
  /** What operators change at run time. */
  setOperatorSetting(key: string, value: Record<string, JsonValue>, setBy: string): Promise<void>;
}
