import { CancellationScope, isCancellation, proxyActivities, setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import type { Activities, LegacyActivities } from '../activities/index.ts';
import { type Comparison, compare, type Observation } from '../src/domain/comparison.ts';
import { FileManagementError, messageOf } from '../src/domain/errors.ts';
import { candidateFirst, comparable, observedFile } from '../src/domain/shadow.ts';
import { control, QUARANTINE, RECORD } from './activity-options.ts';
import { type ShadowComparisonInput, STATUS, TOOL, type UploadInput } from './contract.ts';
import { fromFailure } from './failures.ts';
import { removeStaged, upload } from './upload.ts';

const { recordComparison } = proxyActivities<Activities>(RECORD);
const { emptyQuarantine, isSourceThere } = proxyActivities<Activities>(QUARANTINE);

/**
 * Runs the candidate on what the control stored, in quarantine, compares both outcomes and records the comparison. What the candidate
 * uploaded is removed afterwards, whatever happened.
 * @returns null where there was nothing to compare with any more: the user has deleted the file meanwhile
 */
export async function shadowComparison(input: ShadowComparisonInput): Promise<Comparison | null> {
  upsertSearchAttributes([
    { key: TOOL, value: input.tool },
    { key: STATUS, value: 'running' },
  ]);
  const order = orderOf(input);
  try {
    setCurrentDetails('the candidate runs, in quarantine');
    const { outcome, again } = await runs(input, order);
    if (!outcome.ok && !(await isSourceThere(input.source))) {
      setCurrentDetails('not compared: the file was deleted meanwhile');
      upsertSearchAttributes([{ key: STATUS, value: 'skipped' }]);
      return null;
    }
    const observed = comparable(input.control, outcome);
    const comparison = compare(observed.control, observed.candidate, input.rules);
    setCurrentDetails(describe(comparison, observed));
    const noise = again === null ? null : comparable(input.control, again);
    const noiseMismatches = noise === null ? null : compare(noise.control, noise.candidate, { ...input.rules, timing: null }).mismatches;
    await recordComparison({ ...recordOf(input, comparison, observed), noiseMismatches }, input.breaker);
    upsertSearchAttributes([{ key: STATUS, value: comparison.mismatches.length === 0 ? 'matched' : 'mismatched' }]);
    return comparison;
  } finally {
    await CancellationScope.nonCancellable(async () => {
      try {
        await emptyQuarantine(order.idempotencyKey);
      } finally {
        if (input.staged) await removeStaged(order);
      }
    });
  }
}

/** The candidate and, where that is asked for, the control once more, one after the other in an order that chance decides. */
async function runs(input: ShadowComparisonInput, order: UploadInput): Promise<{ outcome: Observation; again: Observation | null }> {
  if (input.legacyQueue === undefined) return { outcome: await candidate(input, order), again: null };
  if (candidateFirst(Math.random())) {
    const outcome = await candidate(input, order);
    return { outcome, again: await controlAgain(input, input.legacyQueue) };
  }
  const again = await controlAgain(input, input.legacyQueue);
  return { outcome: await candidate(input, order), again };
}

/** Null where the old path cannot be run from here now. */
async function controlAgain({ tool, operationId, source, file, candidateTimeoutMs }: ShadowComparisonInput, queue: string) {
  const { runControl } = proxyActivities<LegacyActivities>(control(queue, candidateTimeoutMs));
  setCurrentDetails('the old path runs once more, to know what differs by chance');
  return await runControl({ tool, operationId, source, file }).catch((error: unknown) => {
    if (isCancellation(error)) throw error;
    setCurrentDetails(`the old path could not run once more: ${messageOf(fromFailure(error))}`);
    return null;
  });
}

/** The upload that users would get, but for its namespace: nobody holds it. */
function orderOf({ operationId, source, provider, file, settings }: ShadowComparisonInput): UploadInput {
  const { name, purpose } = file;
  return {
    ...{ idempotencyKey: `shadow-${operationId}`, operationId, source, provider, namespace: 'shadow', verify: 'none' },
    ...{ onDuplicate: 'reuse', settings: { ...settings, attempts: CANDIDATE_ATTEMPTS } },
    reference: { name, tool: 'shadow', userId: null, purpose, context: null, tags: [], keep: 'expire' },
  };
}
/** As often as a caller would wait for. */
const CANDIDATE_ATTEMPTS = 3;

/** What the candidate makes of it, within its time. */
async function candidate({ file, candidateTimeoutMs }: ShadowComparisonInput, order: UploadInput): Promise<Observation> {
  const began = Date.now();
  const ms = () => Date.now() - began;
  try {
    const { sizeBytes, mimeType, sha256 } = await CancellationScope.withTimeout(candidateTimeoutMs, () => upload(order));
    return { ok: true, result: observedFile({ name: file.name, sizeBytes, mimeType: file.mimeType ?? mimeType, sha256 }), ms: ms() };
  } catch (error) {
    if (isCancellation(error)) {
      // The time has passed; a person who cancels the workflow cancels what is around this, too.
      if (CancellationScope.current().consideredCancelled) throw error;
      return { ok: false, code: 'timeout', ms: ms() };
    }
    const failure = fromFailure(error);
    return { ok: false, code: failure instanceof FileManagementError ? failure.code : 'unknown', ms: ms() };
  }
}

interface Observed {
  control: Observation;
  candidate: Observation;
}

const recordOf = ({ tool, operation, operationId, step, rules }: ShadowComparisonInput, comparison: Comparison, both: Observed) => ({
  ...{ tool, operation, operationId, step, rules, ...comparison },
  ...{ control: outcomeOf(both.control), candidate: outcomeOf(both.candidate) },
  ...{ controlMs: both.control.ms, candidateMs: both.candidate.ms },
});
const outcomeOf = (observation: Observation) => (observation.ok ? observation.result : { error: observation.code });

function describe({ mismatches }: Comparison, { control, candidate: other }: Observed): string {
  const outcome = (side: string, observation: Observation) =>
    `${side}: ${observation.ok ? 'done' : `failed (${observation.code})`} in ${Math.round(observation.ms)} ms`;
  return [
    mismatches.length === 0 ? '**matched**' : `**differs** in ${mismatches.join(', ')}`,
    outcome('control', control),
    outcome('candidate', other),
  ].join('\n\n');
}
