import { setImmediate as laterThanTheCaller } from 'node:timers/promises';
import type { NewShadowComparison } from '../client/shadow-client.ts';
import type { Observation } from '../domain/comparison.ts';
import { FileManagementError, hasCode } from '../domain/errors.ts';
import { observedFile, overridesOf, rulesOf, type ShadowSettings, shadowInForce, shadowKey } from '../domain/shadow.ts';
import type { Sampled, ShadowLedger } from '../ledger/shadow-ledger.ts';
import type { Done, UploadDone } from './facade.ts';
import type { FileService, UploadFile } from './file-service.ts';
import type { Staged, Staging } from './staging.ts';
import type { StateWatcher } from './state-watcher.ts';

/**
 * What came of an operation that was picked: `started`; not compared because of the rate (`rate`), the open breaker (`open`), the end of
 * shadowing (`over`), what this process has in hand already (`busy`), or because it could not be handed over (`failed`).
 */
export type SampleOutcome = 'started' | Exclude<Sampled, 'taken'> | 'busy' | 'failed';

export interface ShadowerOptions {
  legacy: Pick<FileService, 'download' | 'locate'>;
  state: Pick<StateWatcher, 'routing' | 'setting'>;
  shadow: Pick<ShadowLedger, 'takeSample'>;
  /** Of the configuration; operators change them while things run. */
  defaults: ShadowSettings;
  /** For what workers cannot read by themselves. They take over what is laid there. */
  staging: Staging;
  providerOf: (tool: string) => string;
  start(comparison: NewShadowComparison): Promise<void>;
  /** Told of each operation that was picked for the sample. */
  onSampled?: (tool: string, outcome: SampleOutcome) => void;
  random?: () => number;
}

interface InForce {
  setting: unknown;
  stage: string;
  settings: ShadowSettings;
  /** When an operator started it. */
  beganAt: string | null;
}

/** Comparisons that one process prepares at once: what is sampled beyond that is let go. */
const AT_ONCE = 8;

/**
 * Compares a sample of what legacy has answered. Runs beside the caller's path: an operation that is not sampled costs a look at the
 * settings and a random number, and everything else begins when the caller has its answer.
 */
export function createShadower(options: ShadowerOptions): (done: Done) => Promise<void> {
  const { legacy, state, shadow, defaults, staging, providerOf, start, onSampled = () => undefined, random = Math.random } = options;
  let preparing = 0;
  const known = new Map<string, InForce>();

  /** Worked out once for each answer of the ledger, not for each upload. */
  function inForce(tool: string): InForce {
    const setting = state.setting(shadowKey(tool));
    const { stage } = state.routing(tool);
    const before = known.get(tool);
    if (before !== undefined && before.setting === setting && before.stage === stage) return before;
    const overrides = overridesOf(setting);
    const now = { setting, stage, settings: shadowInForce(defaults, overrides, stage), beganAt: overrides.startedAt ?? null };
    known.set(tool, now);
    return now;
  }

  /** What the control stored, where workers can read it; where it failed, what the caller handed over. */
  async function whereWorkersRead({ stored, context, file }: UploadDone): Promise<Staged> {
    const there = stored === null ? null : ((await legacy.locate?.(stored.id, context)) ?? null);
    if (there !== null) return { source: there, temporary: false, remove: async () => undefined };
    const input: UploadFile = stored === null ? { ...file, path: null } : { ...file, path: null, open: () => readBack(stored.id) };
    async function* readBack(id: string) {
      yield* (await legacy.download(id, context)).chunks;
    }
    const sizeBytes = stored?.sizeBytes ?? file.sizeBytes;
    return await staging.stage({ ...input, sizeBytes }, AbortSignal.timeout(defaults.candidateTimeoutMs));
  }

  async function compare(upload: UploadDone, settings: ShadowSettings, beganAt: string | null): Promise<SampleOutcome> {
    const { context, step, file, stored, error, ms } = upload;
    const { tool, operationId, purpose, model } = context;
    const sampled = await shadow.takeSample({
      ...{ tool, step, beganAt, maxPerMinute: settings.maxSamplesPerMinute, durationSeconds: settings.durationMs / 1000 },
    });
    if (sampled !== 'taken') return sampled;
    const control: Observation =
      stored === null
        ? { ok: false, code: error instanceof FileManagementError ? error.code : 'unknown', ms }
        : { ok: true, result: observedFile(stored), ms };
    const { source, temporary, remove } = await whereWorkersRead(upload);
    const comparison: NewShadowComparison = {
      ...{ source, staged: temporary, tool, operation: 'upload', operationId, step, control, provider: providerOf(tool) },
      file: { name: file.name, mimeType: file.mimeType, purpose, ...(stored === null ? {} : { legacyId: stored.id }) },
      rules: rulesOf(settings),
      candidateTimeoutMs: settings.candidateTimeoutMs,
      controlRuns: settings.controlRuns,
      model,
      breaker: {
        threshold: settings.errorThreshold,
        minSamples: settings.minSamples,
        cooldownSeconds: settings.cooldownMs / 1000,
      },
    };
    await start(comparison).catch(async (error: unknown) => {
      await remove();
      // An application may use an operation's id for more than one file: the first is the sample.
      if (!hasCode(error, 'already_started')) throw error;
    });
    return 'started';
  }

  return async (done) => {
    if (done.operation !== 'upload' || !done.route.compares || done.servedBy !== 'legacy' || done.fallback) return;
    const { tool } = done.context;
    const { settings, beganAt } = inForce(tool);
    if (!settings.enabled || random() >= settings.sampleRate) return;
    if (preparing >= AT_ONCE) return onSampled(tool, 'busy');
    preparing += 1;
    let outcome: SampleOutcome = 'failed';
    try {
      await laterThanTheCaller();
      outcome = await compare({ ...done, context: { ...done.context, signal: new AbortController().signal } }, settings, beganAt);
    } finally {
      preparing -= 1;
      onSampled(tool, outcome);
    }
  };
}
