import { FlagdCore } from '@openfeature/flagd-core';
import { type Client, OpenFeature, ProviderEvents } from '@openfeature/server-sdk';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TOOLS } from '../../src/config/index.ts';
import { LedgerError } from '../../src/domain/errors.ts';
import type { Stage } from '../../src/domain/routing.ts';
import { createFacade } from '../../src/facade/facade.ts';
import { createOpenFeatureProvider } from '../../src/facade/openfeature.ts';
import { type RoutingDefaults, type StateWatcher, watchState } from '../../src/facade/state-watcher.ts';
import type { FacadeState } from '../../src/ledger/rollout-ledger.ts';
import { createMemoryFileService } from '../support/memory-file-service.ts';

const DEFAULTS: RoutingDefaults = {
  enabled: true,
  tools: { kimi: { enabled: true, share: 0 }, smart_handler: { enabled: false, share: 50 }, supabase: { enabled: true, share: 30 } },
};
const FLAG = 'cutover.kimi';
const rollout = (stage: Stage, share: number, epoch = 1) => ({ tool: 'kimi', stage, share, epoch, status: 'running' }) as const;

let rollouts: FacadeState['rollouts'];
let watcher: StateWatcher;
let client: Client;
/** What the ledger says; an SDK of its own domain with our provider. */
async function start(now: FacadeState['rollouts'], { defaults = DEFAULTS, random = Math.random } = {}): Promise<void> {
  rollouts = now;
  watcher = watchState({ ledger: { facadeState: async () => ({ rollouts, settings: {} }) }, defaults, pollMs: 5 });
  await OpenFeature.setProviderAndWait('cutover', createOpenFeatureProvider(watcher, { random }));
  client = OpenFeature.getClient('cutover');
}
beforeEach(() => start([rollout('live', 50)]));
afterEach(async () => {
  watcher.close();
  await OpenFeature.close();
});

describe('A flag', () => {
  const evaluated = (user = 'ann') => client.getBooleanDetails(FLAG, false, { targetingKey: user });

  test.each<[string, FacadeState['rollouts'], boolean, boolean, string]>([
    ['the master switch off', [rollout('live', 100)], false, false, 'DISABLED'],
    ['a ramp at 0', [rollout('live', 0)], true, false, 'STATIC'],
    ['a ramp at 100', [rollout('live', 100)], true, true, 'STATIC'],
    ['stage off', [rollout('off', 50)], true, false, 'STATIC'],
    ['stage dual_write', [rollout('dual_write', 50)], true, false, 'STATIC'],
    ['stage shadow', [rollout('shadow', 50)], true, false, 'STATIC'],
    ['stage ramp_down', [rollout('ramp_down', 50)], true, true, 'STATIC'],
    ['stage complete', [rollout('complete', 50)], true, true, 'STATIC'],
  ])('with %s says so, as a boolean and as the arm’s name', async (_, now, enabled, unified, reason) => {
    watcher.close();
    await start(now, { defaults: { ...DEFAULTS, enabled } });
    const arm = unified ? 'unified' : 'legacy';
    const [{ stage, share }] = now as [ReturnType<typeof rollout>];
    const told = { flagKey: FLAG, variant: arm, reason, flagMetadata: { stage, share } };
    // The default is what the flag is not, so that it cannot be mistaken for an answer.
    expect(await client.getBooleanDetails(FLAG, !unified, { targetingKey: 'ann' })).toEqual({ ...told, value: unified });
    expect(await client.getStringDetails(FLAG, 'neither', { targetingKey: 'ann' })).toEqual({ ...told, value: arm });
  });

  test('of a tool that is switched off is DISABLED, of one without a rollout is split by the configuration’s share', async () => {
    const ann = { targetingKey: 'ann' };
    expect(await client.getStringDetails('cutover.smart_handler', 'x', ann)).toMatchObject({ value: 'legacy', reason: 'DISABLED' });
    expect(await client.getStringDetails('cutover.supabase', 'x', ann)).toMatchObject({
      reason: 'SPLIT',
      flagMetadata: { stage: 'live', share: 30 },
    });
  });

  test('is legacy for everybody while the ledger has never answered', async () => {
    const away = async (): Promise<FacadeState> => {
      throw new LedgerError('away', { code: 'unreachable', retryable: true });
    };
    const blind = watchState({ ledger: { facadeState: away }, defaults: DEFAULTS });
    await OpenFeature.setProviderAndWait('cutover', createOpenFeatureProvider(blind));
    expect(await client.getBooleanDetails('cutover.supabase', true, { targetingKey: 'ann' })).toMatchObject({
      value: false,
      reason: 'STATIC',
    });
    blind.close();
  });

  test('says of every user, whatever the name, what the facade does', async () => {
    const facade = createFacade({
      legacy: createMemoryFileService('old'),
      unified: createMemoryFileService('new'),
      state: watcher,
      outcomes: { record: () => undefined },
      fallback: false,
      maxFileBytes: 10,
      knows: async () => false,
    });
    const arms = new Set<string>();
    const property = fc.asyncProperty(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.uuid()), async (user) => {
      const { servedBy } = await facade.upload({ bytes: Buffer.from('x'), name: 'x' }, { tool: 'kimi', userId: user });
      expect(await evaluated(user)).toMatchObject({ variant: servedBy, value: servedBy === 'unified', reason: 'SPLIT' });
      arms.add(servedBy);
    });
    await fc.assert(property, { numRuns: 2000 });
    expect(arms.size).toBe(2);
  });

  test.each([1, 10, 33.3, 50])('at %f %% says of 10,000 users what flagd says by the same rule', async (share) => {
    rollouts = [rollout('live', share)];
    await expect.poll(() => watcher.routing('kimi').share).toBe(share);
    const flagd = new FlagdCore();
    const weight = Math.round(share * 1000);
    const targeting = { fractional: Object.entries({ unified: weight, legacy: 100_000 - weight }) };
    const variants = { unified: true, legacy: false };
    flagd.setConfigurations(JSON.stringify({ flags: { [FLAG]: { state: 'ENABLED', variants, defaultVariant: 'legacy', targeting } } }));
    const differing: string[] = [];
    let covered = 0;
    for (let at = 0; at < 10_000; at += 1) {
      const user = at % 2 === 0 ? `user-${at}` : `Zoë ${at} 文件 ${String.fromCodePoint(0x1f600 + (at % 60))}`;
      // Flagd hashes a name's UTF-8, its JavaScript hashes characters: it is given each byte as a character.
      const theirs = flagd.resolveBooleanEvaluation(FLAG, false, { targetingKey: Buffer.from(user).toString('latin1') });
      const ours = await evaluated(user);
      if (ours.variant !== theirs.variant || ours.value !== theirs.value) differing.push(user);
      if (ours.value) covered += 1;
    }
    expect(differing).toEqual([]);
    expect(Math.abs(covered / 100 - share)).toBeLessThan(2);
  });

  test('is decided by chance, each time anew, where there is no targeting key', async () => {
    const chances = [0.2, 0.7, 0.49, 0.5];
    watcher.close();
    await start(rollouts, { random: () => chances.shift() ?? Number.NaN });
    const served: string[] = [];
    for (let at = 0; at < 4; at += 1) {
      const { variant, reason } = await client.getStringDetails(FLAG, 'x');
      served.push(`${variant} ${reason}`);
    }
    expect(served).toEqual(['unified SPLIT', 'legacy SPLIT', 'unified SPLIT', 'legacy SPLIT']);
  });
});

describe('What is no flag of ours', () => {
  test.each(['kimi', 'cutover.', 'cutover.nothing', 'cutover.Kimi', 'cutover.constructor', ''])(
    'as %o is not found, and the default is the answer',
    async (key) => {
      for (const value of [true, false])
        expect(await client.getBooleanDetails(key, value)).toMatchObject({ value, reason: 'ERROR', errorCode: 'FLAG_NOT_FOUND' });
      expect(await client.getStringDetails(key, 'x')).toMatchObject({ value: 'x', reason: 'ERROR', errorCode: 'FLAG_NOT_FOUND' });
      expect(await client.getNumberDetails(key, 7)).toMatchObject({ value: 7, reason: 'ERROR', errorCode: 'FLAG_NOT_FOUND' });
    },
  );
  test('as a number or an object is of another type, and the default is the answer', async () => {
    const mismatch = { reason: 'ERROR', errorCode: 'TYPE_MISMATCH' };
    expect(await client.getNumberDetails(FLAG, 7)).toMatchObject({ value: 7, ...mismatch });
    expect(await client.getObjectDetails(FLAG, { a: 1 })).toMatchObject({ value: { a: 1 }, ...mismatch });
  });
  test('as a targeting key is refused, and names what it is', async () => {
    const context = { targetingKey: 17 as unknown as string };
    expect(await client.getBooleanDetails(FLAG, true, context)).toMatchObject({
      ...{ value: true, reason: 'ERROR', errorCode: 'INVALID_CONTEXT', errorMessage: 'The targeting key is a number, not a string' },
    });
  });
  test('is named by the tools that are there', async () => {
    const { errorMessage } = await client.getBooleanDetails('cutover.kimmi', false);
    for (const tool of TOOLS) expect(errorMessage).toContain(`cutover.${tool}`);
  });
});

describe('A change of what is in force', () => {
  test.each([
    ['share', [rollout('live', 51)]],
    ['stage', [rollout('shadow', 50)]],
  ])('of the %s is told once, with the flag’s name, and holds then', async (_, now) => {
    const seen: unknown[] = [];
    client.addHandler(ProviderEvents.ConfigurationChanged, async (details) => {
      const { flagMetadata } = await client.getBooleanDetails(FLAG, false);
      seen.push({ flags: details?.flagsChanged, from: details?.providerName, ...flagMetadata });
    });
    rollouts = now;
    const [{ stage, share }] = now as [ReturnType<typeof rollout>];
    await expect.poll(() => seen).toEqual([{ flags: [FLAG], from: 'cutover', stage, share }]);
    await fewAnswers();
    expect(seen).toHaveLength(1);
  });
  test('of several tools is told together', async () => {
    const seen: unknown[] = [];
    client.addHandler(ProviderEvents.ConfigurationChanged, (details) => void seen.push(details?.flagsChanged));
    rollouts = [rollout('live', 60), { ...rollout('live', 60), tool: 'supabase' }];
    await expect.poll(() => seen).toEqual([[FLAG, 'cutover.supabase']]);
  });
  test('is not the next step at the same share, nor an answer that says the same', async () => {
    const seen: unknown[] = [];
    client.addHandler(ProviderEvents.ConfigurationChanged, (details) => void seen.push(details));
    rollouts = [rollout('live', 50, 2)];
    await expect.poll(() => watcher.routing('kimi').step).toBe(2);
    await fewAnswers();
    expect(seen).toEqual([]);
  });
  test('is told to the others also when one who listens fails, and to nobody after the end', async () => {
    const provider = createOpenFeatureProvider(watcher);
    await provider.initialize?.();
    const seen: string[] = [];
    const failing = () => {
      throw new Error('a listener of the application');
    };
    provider.events?.addHandler(ProviderEvents.ConfigurationChanged, failing);
    provider.events?.addHandler(ProviderEvents.ConfigurationChanged, async () => failing());
    provider.events?.addHandler(ProviderEvents.ConfigurationChanged, () => void seen.push('told'));
    rollouts = [rollout('live', 60)];
    await expect.poll(() => seen).toEqual(['told']);
    provider.events?.removeHandler(ProviderEvents.ConfigurationChanged, failing);
    expect(provider.events?.getHandlers(ProviderEvents.ConfigurationChanged)).toHaveLength(2);
    await provider.onClose?.();
    rollouts = [rollout('live', 70)];
    await expect.poll(() => watcher.routing('kimi').share).toBe(70);
    await fewAnswers();
    expect(seen).toEqual(['told']);
  });

  const fewAnswers = () => new Promise((resolve) => setTimeout(resolve, 50));
});
