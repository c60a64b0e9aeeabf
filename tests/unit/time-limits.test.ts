import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createUploadActivities, type UploadActivitiesDependencies } from '../../activities/upload.ts';
import { createLateNotice } from '../../src/cli/late.ts';
import { uploadSettings } from '../../src/client/settings.ts';
import { loadConfig } from '../../src/config/index.ts';
import type { FileSource } from '../../src/domain/models.ts';
import { type ModelKind, modelKindOf, timeLimitsFor } from '../../src/domain/time-limits.ts';
import type { UploadOrder } from '../../src/domain/upload-order.ts';
import { configuredLegacy } from '../../src/facade/configured-legacy.ts';
import { patienceOf } from '../../src/facade/connect.ts';
import { contextOf } from '../../src/facade/context.ts';
import { connectStores } from '../../src/manager/stores.ts';
import { uploadDurably } from '../../src/manager/uploader.ts';
import type { UploadInput } from '../../workflows/contract.ts';
import { startSilentServer } from '../support/silent-server.ts';

/** From a caller's word about the model to the limit that each layer goes by. */

const load = (env: Record<string, string> = {}) => loadConfig({ env, cwd: join(tmpdir(), 'cutover-no-such-folder') });
const signal = new AbortController().signal;

describe('A word for the kind of model', () => {
  test('that nobody knows is refused with those that there are, wherever it comes in', () => {
    const refusal = expect.objectContaining({
      code: 'unknown_model',
      message: 'There is no kind of model "slow"; there are: standard, thinking, fast',
    });
    const slow = 'slow' as ModelKind;
    const { operations } = load();
    expect(() => modelKindOf('slow')).toThrow(refusal);
    expect(() => contextOf({ tool: 'kimi', model: slow })).toThrow(refusal);
    expect(() => uploadSettings(load(), 'supabase', slow)).toThrow(refusal);
    expect(() => timeLimitsFor(operations, operations.multipliers, 'toString' as ModelKind)).toThrow(/"toString"/);
  });
});

describe('The kind of model', () => {
  test('stretches or shortens an attempt of each activity, and goes with the settings to the worker', () => {
    const config = load();
    expect(uploadSettings(config, 'supabase', 'thinking')).toMatchObject({ activityTimeoutMs: 101_250, model: 'thinking' });
    expect(uploadSettings(config, 'supabase', 'fast')).toMatchObject({ activityTimeoutMs: 47_250, model: 'fast' });
    // As workflows of an older version were started.
    for (const settings of [uploadSettings(config, 'supabase'), uploadSettings(config, 'supabase', 'standard')])
      expect([settings.activityTimeoutMs, 'model' in settings]).toEqual([67_500, false]);
  });

  test('stretches or shortens how long a facade waits, but not the time that the bytes take', () => {
    const { doneMs } = patienceOf(load({ TRANSFER_MIN_BYTES_PER_SECOND: '1000' }));
    const sizes = [0, 5000];
    expect(sizes.map((size) => doneMs(size))).toEqual([90_000, 100_000]);
    expect(sizes.map((size) => doneMs(size, 'thinking'))).toEqual([135_000, 145_000]);
    expect(sizes.map((size) => doneMs(size, 'fast'))).toEqual([63_000, 73_000]);
  });

  test('is part of an upload’s order, and does not make it another upload', async () => {
    const orders: UploadOrder[] = [];
    const uploads = {
      startUpload: async (order: UploadOrder) => ({ workflowId: String(orders.push(order)) }),
      uploadResult: async () => ({}) as never,
    };
    const source: FileSource = { kind: 'path', path: '/a', sizeBytes: 1, modifiedMs: 0 };
    const reference = { name: 'a', tool: 't', userId: null, purpose: 'storage', context: null, tags: [], keep: 'keep' as const };
    await uploadDurably(source, { provider: 'supabase', reference, signal, model: 'fast' }, uploads);
    await uploadDurably(source, { provider: 'supabase', reference, signal }, uploads);
    expect(orders.map(({ model }) => model)).toEqual(['fast', undefined]);
    expect(orders[0]?.idempotencyKey).toBe(orders[1]?.idempotencyKey);
  });

  test('of the settings decides by which steps an activity works', async () => {
    const asked: (ModelKind | undefined)[] = [];
    const claim = async () => ({ outcome: 'completed' });
    const { claimContent, removeStaged } = createUploadActivities({
      stepsFor: (model: ModelKind | undefined) => {
        asked.push(model);
        return { claim };
      },
      providerFor: (model: ModelKind | undefined) => {
        asked.push(model);
        return () => ({ delete: async () => true });
      },
    } as unknown as UploadActivitiesDependencies);
    const input = (model?: ModelKind) =>
      ({ source: { kind: 'path', path: '/x' }, reference: { name: 'x' }, settings: model === undefined ? {} : { model } }) as UploadInput;
    const activity = new MockActivityEnvironment();
    await activity.run(claimContent, input('thinking'), {} as never);
    await activity.run(claimContent, input(), {} as never);
    const staged: FileSource = { kind: 'object', provider: 'supabase', id: 'b/1', sizeBytes: 1, name: 'x', mimeType: null };
    await activity.run(removeStaged, staged, 'fast' as const);
    expect(asked).toEqual(['thinking', undefined, 'fast']);
  });
});

describe('A server that never answers', () => {
  let silent: Awaited<ReturnType<typeof startSilentServer>>;
  const config = (env: Record<string, string> = {}) =>
    load({
      ...{ SUPABASE_URL: silent.url, SUPABASE_SECRET_KEY: 'secret', TOOL_TIMEOUT_SECONDS: '0.4', MAX_RETRY_ATTEMPTS: '0' },
      ...{ THINKING_TIMEOUT_MULTIPLIER: '2', FAST_TIMEOUT_MULTIPLIER: '0.5', ...env },
    });
  beforeAll(async () => {
    silent = await startSilentServer();
  });
  afterAll(() => silent.close());
  const KINDS: [ModelKind, string][] = [
    ['standard', '0.4 s'],
    ['thinking', '0.8 s'],
    ['fast', '0.2 s'],
  ];

  test.each(KINDS)('is asked for a %s model, as a provider, for %s', async (model, limit) => {
    const { providerFor } = connectStores(config());
    await expect(providerFor(model)('supabase').info('bucket/x', signal)).rejects.toThrow(`no byte moved for ${limit}`);
  });

  test.each(KINDS)('is asked for a %s model, as the old path behind HTTP, for %s', async (model, limit) => {
    const legacy = configuredLegacy(config({ LEGACY_URL: silent.url }));
    const context = contextOf({ tool: 'kimi', model });
    const file = { name: 'a.txt', mimeType: null, sizeBytes: 0, path: null, open: () => (async function* () {})() };
    const answers = [
      legacy?.info('x', context),
      legacy?.delete('x', context),
      legacy?.list({ after: null, limit: 1 }, context),
      legacy?.download('x', context),
      legacy?.upload(file, context),
    ];
    const waited = /(?:no byte moved for|not done after) ([\d.]+ s)/;
    for (const answer of await Promise.allSettled(answers))
      expect(answer.status === 'rejected' && waited.exec(String(answer.reason))?.[1]).toBe(limit);
  });

  test.each(KINDS)('is asked for a %s model, as the old path at Supabase, for %s', async (model, limit) => {
    const legacy = configuredLegacy(config({ LEGACY_BUCKET: 'uploads' }));
    const id = '00000000-0000-4000-8000-000000000000';
    await expect(legacy?.info(id, contextOf({ tool: 'kimi', model }))).rejects.toThrow(`no byte moved for ${limit}`);
  });

  test('opens one circuit for all kinds of models', async () => {
    const { provider, providerFor } = connectStores(config({ PROVIDER_BREAKER_FAILURES: '2', FAST_TIMEOUT_MULTIPLIER: '0.01' }));
    for (let at = 0; at < 2; at += 1)
      await providerFor('fast')('supabase')
        .info('bucket/x', signal)
        .catch(() => undefined);
    expect(provider('supabase').status().circuit).toBe('open');
    for (const kind of [undefined, 'thinking', 'fast'] as const)
      await expect(providerFor(kind)('supabase').info('bucket/x', signal)).rejects.toMatchObject({ code: 'circuit_open' });
  });

  test('is told from a provider that there is none of, whatever the kind', () => {
    expect(() => connectStores(config()).providerFor('fast')('fax')).toThrow(expect.objectContaining({ code: 'provider_not_found' }));
  });
});

describe('Somebody who waits at a terminal', () => {
  const notice = (model: ModelKind | undefined) => {
    const messages: string[] = [];
    const config = load({ TOOL_TIMEOUT_SECONDS: '0.02', FAST_TIMEOUT_MULTIPLIER: '0.5', TRANSFER_MIN_BYTES_PER_SECOND: '1000' });
    return { messages, unlessLate: createLateNotice({ config, output: { message: (line) => void messages.push(line) }, model }) };
  };
  test('is told once that it takes longer than a caller’s limit, and gets the answer all the same', async () => {
    const { messages, unlessLate } = notice(undefined);
    const answers = await Promise.all([1, 2].map((answer) => unlessLate(0, () => sleep(200, answer))));
    expect([answers, messages]).toEqual([[1, 2], [expect.stringMatching(/^Not done after 0.1 s\..*safe in Temporal.*cutover worker/)]]);
  });
  test('is told nothing of what is done in time, also where the bytes take theirs', async () => {
    const { messages, unlessLate } = notice('fast');
    await unlessLate(0, async () => 1);
    await unlessLate(500, () => sleep(200));
    await expect(unlessLate(0, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await sleep(100);
    expect(messages).toEqual([]);
  });
});
