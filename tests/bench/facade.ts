import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Stage } from '../../src/domain/routing.ts';
import { createFacade, type FacadeOptions } from '../../src/facade/facade.ts';
import type { CallContext, FileService, StoredFile, UploadFile } from '../../src/facade/file-service.ts';
import { recordOutcomes } from '../../src/facade/outcome-recorder.ts';
import { createShadower } from '../../src/facade/shadower.ts';
import { watchState } from '../../src/facade/state-watcher.ts';
import { createSupabaseShadowLedger } from '../../src/ledger/supabase-shadow-ledger.ts';
import { createMemoryFileService } from '../support/memory-file-service.ts';
import { benchDecisions } from './decisions.ts';
import { startLedgerSink } from './ledger-sink.ts';
import { median } from './processes.ts';

const BYTES = Buffer.alloc(4096);
const SAMPLED = 0.1;

/** Legacy that answers after `delayMs`, or at once, and notes how long it had the call. */
function createSlowLegacy(delayMs: number): FileService & { delayMs: number; lastMs: number } {
  const service = {
    ...createMemoryFileService('old'),
    delayMs,
    lastMs: 0,
    async upload({ name, sizeBytes, mimeType }: UploadFile): Promise<StoredFile> {
      const started = performance.now();
      if (service.delayMs > 0) await sleep(service.delayMs);
      service.lastMs = performance.now() - started;
      return { id: 'old-1', name, sizeBytes, mimeType, sha256: null };
    },
  };
  return service;
}

/** The facade as `connectFacade` makes it, over a ledger that answers from memory. */
async function facadeOver(legacy: FileService, stage: Stage | null, more: Partial<FacadeOptions> = {}) {
  const rollouts = stage === null ? [] : [{ tool: 'kimi', stage, share: 0, epoch: 1, status: 'running' } as const];
  const off = { enabled: false, share: 0 };
  const on = stage !== null;
  const state = watchState({
    ledger: { facadeState: async () => ({ rollouts, settings: {} }) },
    defaults: { enabled: on, tools: { kimi: { enabled: on, share: 0 }, smart_handler: off, supabase: off } },
  });
  await state.ready();
  const outcomes = recordOutcomes({ ledger: { recordOutcomes: async () => true } });
  const facade = createFacade({
    ...{ legacy, unified: createMemoryFileService('new'), state, outcomes, fallback: true, maxFileBytes: BYTES.length },
    knows: async () => false,
    ...more,
  });
  return {
    upload: (userId: string) => facade.upload({ bytes: BYTES, name: 'a.pdf' }, { tool: 'kimi', userId }),
    async close() {
      state.close();
      await outcomes.close();
    },
  };
}

interface Timed {
  us: number;
  /** The part of it in which legacy did not have the call. */
  ownUs: number;
}

async function timed(call: () => Promise<unknown>, legacy: { lastMs: number }): Promise<Timed> {
  const started = performance.now();
  await call();
  const ms = performance.now() - started;
  return { us: ms * 1000, ownUs: (ms - legacy.lastMs) * 1000 };
}

const quantile = (values: readonly number[], share: number) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.NaN;
const own = (calls: readonly Timed[]) => calls.map(({ ownUs }) => ownUs);
const shown = (us: number) => us.toFixed(1);

/** What the facade adds to a call of legacy with every switch off: the same call with and without it, in pairs. */
async function benchOverhead(): Promise<void> {
  const legacy = createSlowLegacy(0);
  const { upload, close } = await facadeOver(legacy, null);
  const file: UploadFile = { name: 'a.pdf', mimeType: null, sizeBytes: BYTES.length, path: null, open: () => Readable.from([BYTES]) };
  const { signal } = new AbortController();
  const context: CallContext = { tool: 'kimi', userId: 'ann', operationId: 'bench', purpose: 'storage', signal };
  async function inPairs(delayMs: number, pairs: number): Promise<Record<'direct' | 'through', Timed[]>> {
    legacy.delayMs = delayMs;
    const seen: Record<'direct' | 'through', Timed[]> = { direct: [], through: [] };
    const direct = async () => void seen.direct.push(await timed(() => legacy.upload(file, context), legacy));
    const through = async () => void seen.through.push(await timed(() => upload('ann'), legacy));
    // In turns, so that neither always follows the other.
    for (let pair = 0; pair < pairs; pair += 1) for (const call of pair % 2 === 0 ? [direct, through] : [through, direct]) await call();
    return seen;
  }
  // A server that has run for a while.
  await inPairs(0, 20_000);
  const table: Record<string, string>[] = [];
  for (const [what, delayMs, pairs] of [['at once', 0, 50_000] as const, ['after 5 ms', 5, 2000] as const]) {
    const { direct, through } = await inPairs(delayMs, pairs);
    const added = through.map(({ us }, pair) => us - (direct[pair]?.us ?? Number.NaN));
    table.push({
      'legacy answers': what,
      'direct, µs': shown(median(direct.map(({ us }) => us))),
      'through the facade, µs': shown(median(through.map(({ us }) => us))),
      'added, µs (aim: at most 50)': shown(median(added)),
      'in the process, µs': shown(quantile(own(through), 0.5) - quantile(own(direct), 0.5)),
      'its p99': shown(quantile(own(through), 0.99) - quantile(own(direct), 0.99)),
    });
  }
  await close();
  console.log('facade: an upload of 4 KiB that legacy answers, everything off, medians of pairs');
  console.table(table);
}

/** Shadowing as `connectFacade` makes it: for each sampled operation one call of the ledger, and one in the place of Temporal's. */
function shadower(url: string, legacy: FileService): NonNullable<FacadeOptions['afterwards']> {
  const shadow = createSupabaseShadowLedger({ url, secretKey: 'bench' });
  const sample = { tool: 'kimi', step: 1, maxPerMinute: 1_000_000, durationSeconds: 0, beganAt: null };
  return createShadower({
    shadow,
    legacy: {
      ...legacy,
      locate: async (id) => ({ kind: 'object', provider: 'supabase', id, sizeBytes: BYTES.length, name: 'a.pdf', mimeType: null }),
    },
    state: { routing: () => ({ master: true, tool: true, stage: 'shadow', share: 0, step: 1 }), setting: () => undefined },
    defaults: {
      ...{ enabled: true, sampleRate: SAMPLED, maxSamplesPerMinute: 1_000_000, errorThreshold: 0.05, minSamples: 50, cooldownMs: 0 },
      ...{ durationMs: 0, includeTiming: true, candidateTimeoutMs: 1000, controlRuns: false, ignore: [] },
    },
    staging: { stage: () => Promise.reject(new Error('nothing is staged: workers can read it')) },
    providerOf: () => 'supabase',
    start: async () => void (await shadow.takeSample(sample)),
  });
}

/** The part of a call that is spent in the process, with a tenth of the calls shadowed and with none, in rounds by turns. */
async function benchShadowing(): Promise<void> {
  const sink = await startLedgerSink();
  const legacy = createSlowLegacy(1);
  const arms = {
    without: await facadeOver(legacy, 'shadow'),
    with: await facadeOver(legacy, 'shadow', { afterwards: shadower(sink.url, legacy) }),
  };
  const ROUNDS = 24;
  const CALLS = 500;
  const seen: Record<keyof typeof arms, number[][]> = { without: [], with: [] };
  for (let round = -4; round < ROUNDS; round += 1)
    for (const arm of round % 2 === 0 ? (['without', 'with'] as const) : (['with', 'without'] as const)) {
      const own: number[] = [];
      for (let at = 0; at < CALLS; at += 1) own.push((await timed(() => arms[arm].upload(`user-${at}`), legacy)).ownUs);
      if (round >= 0) seen[arm].push(own);
    }
  for (const { close } of Object.values(arms)) await close();
  await sink.close();

  console.log(
    `facade: time in the process of a call that legacy answers after 1 ms, ${ROUNDS} rounds of ${CALLS} calls each, in turns, medians of the rounds`,
  );
  // By rounds, because a minute in which the machine had other work is in the tail of all calls together.
  const of = (arm: keyof typeof arms, share: number) => median(seen[arm].map((calls) => quantile(calls, share)));
  const added = (share: number) => `${(100 * (of('with', share) / of('without', share) - 1)).toFixed(1)} %`;
  console.table(
    Object.entries({ median: 0.5, p99: 0.99 }).map(([what, share]) => ({
      '': what,
      'without shadowing, µs': shown(of('without', share)),
      'with 10 % shadowed, µs': shown(of('with', share)),
      'more (aim for p99: at most 5 %)': added(share),
    })),
  );
  console.log(`${sink.calls()} calls of the ledger and of Temporal were made meanwhile`);
}

/** What the facade costs those who call it. */
export async function benchFacade(): Promise<void> {
  await benchDecisions();
  await benchOverhead();
  await benchShadowing();
}
