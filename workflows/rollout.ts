import {
  ActivityFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import {
  afterEvaluation,
  afterPause,
  afterPromote,
  afterResume,
  afterRollback,
  beginRollout,
  type Decision,
  describeRollout,
  isOver,
  type Request,
  type RolloutState,
  recordedStatus,
  type Transition,
} from '../src/domain/rollout.ts';
import { evidenceOf } from '../src/domain/rollout-evidence.ts';
import { DECIDE, LOOK } from './activity-options.ts';
import {
  pauseSignal,
  promoteSignal,
  type RolloutInput,
  type RolloutProgress,
  resumeSignal,
  rollbackSignal,
  rolloutStatusQuery,
  SHARE,
  type SignalReason,
  STATUS,
  TOOL,
} from './contract.ts';
import { fromFailure, toWorkflowFailure } from './failures.ts';

/**
 * One ramp of a tool: raises its share step by step while the evidence allows it, and takes all of it back when it does not. What it
 * decides is in the ledger, where facades read it, before the next thing happens. Ends when it is completed or rolled back; a person who
 * cancels it in Temporal takes it back, too, because nobody would guard the share any more.
 */
export async function rollout(input: RolloutInput): Promise<RolloutProgress> {
  const { plan } = input;
  const looking = proxyActivities<Activities>(LOOK);
  const deciding = proxyActivities<Activities>(DECIDE);
  const looksBefore = input.carried?.looks ?? 0;
  const requests: ((state: RolloutState, nowMs: number) => Transition)[] = [];
  const begun = beginRollout(plan, Date.now(), input.firstStep);
  let progress: RolloutProgress = input.carried ?? {
    ...{ state: begun.state, epoch: 0, looks: 0 },
    ...{ nextEvaluationMs: null, trouble: null, updatedAtMs: Date.now() },
  };

  function show(change: Partial<RolloutProgress>): void {
    const before = progress;
    progress = { ...progress, ...change, updatedAtMs: Date.now() };
    const { state } = progress;
    setCurrentDetails(describeRollout(plan, progress));
    if (recordedStatus(state) !== recordedStatus(before.state) || state.share !== before.state.share)
      upsertSearchAttributes([
        { key: STATUS, value: recordedStatus(state) },
        { key: SHARE, value: state.share },
      ]);
  }
  const take = (apply: (request: Request) => (typeof requests)[number]) => (argument?: SignalReason) => {
    requests.push(apply({ by: argument?.by ?? 'a signal', reason: argument?.reason ?? null }));
    setCurrentDetails(`${describeRollout(plan, progress)}\n\na signal has come and is being worked on`);
  };
  setHandler(rolloutStatusQuery, () => progress);
  setHandler(
    pauseSignal,
    take((request) => (state, now) => afterPause(state, request, now)),
  );
  setHandler(
    resumeSignal,
    take((request) => (state, now) => afterResume(state, request, now)),
  );
  setHandler(
    promoteSignal,
    take((request) => (state, now) => afterPromote(plan, state, request, now)),
  );
  setHandler(
    rollbackSignal,
    take((request) => (state, now) => afterRollback(state, request, now)),
  );

  /** Also while the workflow is cancelled: what was half written could reach the ledger after the rollback. */
  const write = (decision: Parameters<Activities['decideRollout']>[0]) =>
    CancellationScope.nonCancellable(() => deciding.decideRollout(decision));
  /** Writes decisions to the ledger one after the other, for as long as it takes: a rollback is not given up. */
  async function decide({ state, decisions }: Transition): Promise<void> {
    const shareBefore = progress.state.share;
    let { epoch } = progress;
    for (const [at, decision] of decisions.entries())
      epoch = await write({
        decisionId: uuid4(),
        tool: plan.tool,
        decision: decision.decision,
        decidedBy: decision.decidedBy,
        reason: decision.reason,
        // What is in force afterwards comes with the last line; a new step is a new epoch.
        state: at === decisions.length - 1 ? inForce(input, state, beginsStep(decision)) : {},
        evidence: { ...figures(state), shareBefore, epoch },
      });
    show({ state, epoch });
  }
  /** A signal interrupts the wait for the ledger, so that a rollback never stands behind a look. */
  async function look(): Promise<void> {
    const scope = new CancellationScope();
    let read: { evidence: Awaited<ReturnType<typeof looking.readEvidence>> } | { trouble: string } | null = null;
    scope
      .run(() => looking.readEvidence(plan.tool, progress.epoch))
      .then(
        (evidence) => {
          read = { evidence };
        },
        (error: unknown) => {
          if (!isCancellation(error))
            read = { trouble: error instanceof ActivityFailure ? (error.cause?.message ?? error.message) : String(error) };
        },
      );
    await condition(() => read !== null || requests.length > 0);
    const seen = read as { evidence: Awaited<ReturnType<typeof looking.readEvidence>> } | { trouble: string } | null;
    if (seen === null) return scope.cancel();
    const looks = progress.looks + 1;
    if ('trouble' in seen) return show({ looks, trouble: seen.trouble });
    const { state } = progress;
    const evidence = evidenceOf(seen.evidence, state.share, state.evidence, plan.rules);
    await decide(afterEvaluation(plan, state, evidence, Date.now()));
    show({ looks, trouble: null });
  }

  if (input.carried === undefined) {
    upsertSearchAttributes([
      { key: TOOL, value: plan.tool },
      { key: STATUS, value: 'running' },
      { key: SHARE, value: begun.state.share },
    ]);
    const by = { decidedBy: input.startedBy, reason: input.reason ?? begun.decisions[0]?.reason ?? '' };
    await decide({ ...begun, decisions: begun.decisions.map((decision) => ({ ...decision, ...by })) }).catch((error: unknown) => {
      throw toWorkflowFailure(fromFailure(error));
    });
  } else show({});
  try {
    await ramp();
  } catch (error) {
    if (!CancellationScope.current().consideredCancelled || !isCancellation(error)) throw error;
    setCurrentDetails(`${describeRollout(plan, progress)}\n\nit was cancelled, and is being taken back`);
    await decide(afterRollback(progress.state, { by: 'a cancellation', reason: 'cancelled in Temporal' }, Date.now()));
  }
  await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
  show({ nextEvaluationMs: null });
  return progress;

  async function ramp(): Promise<void> {
    while (!isOver(progress.state)) {
      const nextEvaluationMs = Date.now() + plan.evaluationMs;
      show({ nextEvaluationMs });
      const asked = await condition(() => requests.length > 0, plan.evaluationMs);
      for (let apply = requests.shift(); apply !== undefined; apply = requests.shift()) await decide(apply(progress.state, Date.now()));
      if (!asked && !isOver(progress.state)) await look();
      const enough = progress.looks - looksBefore >= input.looksPerRun || workflowInfo().continueAsNewSuggested;
      if (!enough || isOver(progress.state) || requests.length > 0) continue;
      await condition(allHandlersFinished);
      if (requests.length === 0) await continueAsNew<typeof rollout>({ ...input, carried: progress });
    }
  }
}

type DecidedState = Parameters<Activities['decideRollout']>[0]['state'];

const beginsStep = ({ decision }: Decision): boolean => decision === 'started' || decision === 'went_on';

function inForce({ plan }: RolloutInput, state: RolloutState, nextEpoch: boolean): DecidedState {
  const { share, step } = state;
  return { stage: 'live', share, step, status: recordedStatus(state), steps: [...plan.steps], settings: { ...plan }, nextEpoch };
}

/** The evidence as the audit keeps it: enough to judge the step again under other rules. */
function figures({ evidence, judgement, bakedMs }: RolloutState) {
  return { ...evidence, bakedMs, verdict: judgement?.verdict ?? null, opinions: judgement?.opinions ?? [] };
}
