import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import type { NewShadowComparison } from '../../src/client/shadow-client.ts';
import { compare, type Observation } from '../../src/domain/comparison.ts';
import { ProviderUnavailableError } from '../../src/domain/errors.ts';
import { comparable, overridesOf, rulesOf, type ShadowSettings, shadowInForce } from '../../src/domain/shadow.ts';
import type { UploadDone } from '../../src/facade/facade.ts';
import { createShadower, type ShadowerOptions } from '../../src/facade/shadower.ts';
import type { Sampled } from '../../src/ledger/shadow-ledger.ts';
import { createMemoryFileService, type MemoryFileService } from '../support/memory-file-service.ts';

const SETTINGS: ShadowSettings = {
  ...{ enabled: true, sampleRate: 1, maxSamplesPerMinute: 100, errorThreshold: 0.05, minSamples: 50, cooldownMs: 60_000, durationMs: 0 },
  ...{ includeTiming: false, candidateTimeoutMs: 5000, controlRuns: false, ignore: [] },
};

describe('The settings of shadowing', () => {
  test('are the configuration where no operator has said otherwise', () => {
    expect(shadowInForce(SETTINGS, {}, 'live')).toEqual(SETTINGS);
    expect(shadowInForce(SETTINGS, { enabled: false, sampleRate: 0.5 }, 'live')).toEqual({ ...SETTINGS, enabled: false, sampleRate: 0.5 });
  });
  test('are on in the stage shadow, unless an operator has stopped it', () => {
    const off = { ...SETTINGS, enabled: false };
    expect(shadowInForce(off, {}, 'shadow').enabled).toBe(true);
    expect(shadowInForce(off, {}, 'live').enabled).toBe(false);
    expect(shadowInForce(off, { enabled: false }, 'shadow').enabled).toBe(false);
  });
  test('are never broken by what stands in the ledger', () => {
    fc.assert(
      fc.property(fc.anything(), (anything) => {
        const { sampleRate, maxSamplesPerMinute, enabled } = shadowInForce(SETTINGS, overridesOf(anything), 'live');
        expect(sampleRate >= 0 && sampleRate <= 1 && maxSamplesPerMinute >= 1 && typeof enabled === 'boolean').toBe(true);
      }),
    );
    expect(overridesOf({ sampleRate: 7, minSamples: 'x', enabled: 'yes', startedAt: 'never', other: 1, cooldownMs: 5 })).toEqual({
      cooldownMs: 5,
    });
  });
});

describe('What is compared', () => {
  const seen = (sha256: string | null, more: object = {}): Observation => ({
    ...{ ok: true, ms: 1 },
    result: { name: 'a', sizeBytes: 1, mimeType: 'text/plain', sha256, ...more },
  });
  const mismatches = (a: Observation, b: Observation) => {
    const both = comparable(a, b);
    return compare(both.control, both.candidate, rulesOf({ includeTiming: true, ignore: [] })).mismatches;
  };
  test('is the hash only where both sides tell one', () => {
    expect(mismatches(seen(null), seen('b'))).toEqual([]);
    expect(mismatches(seen('a'), seen('b'))).toEqual(['sha256']);
    expect(mismatches(seen('b'), seen('b'))).toEqual([]);
  });
  test('is no parameter of a MIME type, and no id', () => {
    expect(mismatches(seen(null, { mimeType: 'text/plain; charset=utf-8', id: 1 }), seen('b', { id: 2 }))).toEqual([]);
  });
  test('is the time, where it is more than twice as long and five seconds on top', () => {
    expect(mismatches({ ...seen(null), ms: 1000 }, { ...seen(null), ms: 6900 })).toEqual([]);
    expect(mismatches({ ...seen(null), ms: 1000 }, { ...seen(null), ms: 7100 })).toEqual(['timing']);
  });
  test('are 100 planted differences in 10,000 comparisons: all are found, and none is invented', () => {
    const planted = (at: number) => at % 100 === 17;
    const found = Array.from({ length: 10_000 }, (_, at) => {
      const other = planted(at) ? { sizeBytes: 2 } : {};
      return mismatches(seen('a'), seen('a', other)).length > 0;
    });
    expect(found.every((differs, at) => differs === planted(at))).toBe(true);
  });
});

describe('Shadowing in a facade', () => {
  let legacy: MemoryFileService;
  let started: NewShadowComparison[];
  let staged: string[];
  let removed: number;
  let answer: Sampled;
  let outcomes: string[];
  beforeEach(() => {
    legacy = createMemoryFileService('old');
    started = [];
    staged = [];
    removed = 0;
    answer = 'taken';
    outcomes = [];
  });
  const shadower = (more: Partial<ShadowerOptions> = {}) =>
    createShadower({
      legacy,
      state: { routing: () => ({ master: true, tool: true, stage: 'live', share: 10, step: 3 }), setting: () => undefined },
      shadow: { takeSample: async () => answer },
      defaults: SETTINGS,
      staging: {
        async stage({ open, sizeBytes, name, mimeType }) {
          let text = '';
          for await (const chunk of open()) text += Buffer.from(chunk).toString();
          staged.push(text);
          const source = { kind: 'object', provider: 'supabase', id: 'b/staging/1', sizeBytes, name, mimeType } as const;
          const remove = async () => {
            removed += 1;
          };
          return { source, temporary: true, remove };
        },
      },
      providerOf: () => 'supabase',
      start: async (comparison) => void started.push(comparison),
      onSampled: (_, outcome) => outcomes.push(outcome),
      random: () => 0.05,
      ...more,
    });
  async function done(more: Partial<UploadDone> = {}): Promise<UploadDone> {
    const context = { tool: 'kimi', userId: 'ann', operationId: 'op-1', purpose: 'storage', signal: AbortSignal.abort() };
    const file = {
      name: 'a.txt',
      mimeType: 'text/plain',
      sizeBytes: 5,
      path: '/gone',
      open: () =>
        (async function* () {
          yield Buffer.from('hello');
        })(),
    };
    const stored = await legacy.upload(file, { ...context, signal: new AbortController().signal });
    return {
      ...{ operation: 'upload', step: 3, context, file, stored, error: null, servedBy: 'legacy', ms: 12, fallback: false, late: null },
      route: { arm: 'legacy', reason: 'SPLIT', compares: true, writesBoth: false },
      ...more,
    };
  }

  test('hands the workflow what the control stored, not what the caller streamed, and carries no bytes', async () => {
    const upload = await done();
    const stored = legacy.files.get(upload.stored?.id ?? '');
    if (stored !== undefined) stored.bytes = Buffer.from('HELLO');
    await shadower()(upload);
    expect(staged).toEqual(['HELLO']);
    expect(started).toMatchObject([
      {
        ...{ tool: 'kimi', operationId: 'op-1', step: 3, staged: true, source: { kind: 'object', id: 'b/staging/1' } },
        control: { ok: true, ms: 12, result: { name: 'a.txt', sizeBytes: 5 } },
        breaker: { threshold: 0.05, minSamples: 50, cooldownSeconds: 60 },
      },
    ]);
  });
  test('lays nothing anywhere where workers can read what the control stored themselves', async () => {
    const source = { kind: 'object', provider: 'supabase', id: 'uploads/x', sizeBytes: 5, name: 'x', mimeType: null } as const;
    await shadower({ legacy: { ...legacy, locate: async () => source } })(await done());
    expect([staged, started[0]?.source, started[0]?.staged]).toEqual([[], source, false]);
  });
  test('compares what the control failed at, from what the caller handed over', async () => {
    const error = new ProviderUnavailableError('down', { code: 'unavailable', retryable: true });
    await shadower()(await done({ stored: null, error }));
    expect([staged, started[0]?.control]).toEqual([['hello'], { ok: false, code: 'unavailable', ms: 12 }]);
  });
  test.each([
    ['of what unified served', { servedBy: 'unified' }],
    ['of what legacy answered instead of unified', { fallback: true }],
    ['where the stage does not compare', { route: { arm: 'legacy', reason: 'STATIC', compares: false, writesBoth: true } }],
  ] as const)('compares nothing %s', async (_, more) => {
    await shadower()(await done(more));
    expect(started).toEqual([]);
  });
  test('compares a sample alone', async () => {
    await shadower({ defaults: { ...SETTINGS, sampleRate: 0.05 } })(await done());
    expect(started).toHaveLength(0);
    await shadower({ defaults: { ...SETTINGS, sampleRate: 0.06 } })(await done());
    expect([started.length, outcomes]).toEqual([1, ['started']]);
  });
  test('follows what operators set while it runs', async () => {
    let setting: unknown = { enabled: false };
    const run = shadower({
      state: { routing: () => ({ master: true, tool: true, stage: 'live', share: 10, step: 3 }), setting: () => setting },
    });
    await run(await done());
    setting = { enabled: true };
    await run(await done());
    expect(started).toHaveLength(1);
  });
  test.each(['rate', 'open', 'over'] as const)('compares nothing when the ledger says %s, and reads nothing then', async (says) => {
    answer = says;
    await shadower()(await done());
    expect([started, staged, outcomes]).toEqual([[], [], [says]]);
  });
  test('lets go what comes while it has enough in hand', async () => {
    const gate = Promise.withResolvers<Sampled>();
    const run = shadower({ shadow: { takeSample: () => gate.promise } });
    const all = await Promise.all(Array.from({ length: 20 }, () => done()));
    const running = all.map((upload) => run(upload));
    gate.resolve('taken');
    await Promise.all(running);
    expect([started.length, outcomes.filter((outcome) => outcome === 'busy').length]).toEqual([8, 12]);
  });
  test('leaves nothing behind where Temporal does not take the comparison', async () => {
    const start = async () => {
      throw new Error('away');
    };
    await expect(shadower({ start })(await done())).rejects.toThrow('away');
    expect([removed, outcomes]).toEqual([1, ['failed']]);
  });
});
