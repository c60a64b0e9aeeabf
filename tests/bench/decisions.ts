import { randomUUID } from 'node:crypto';
import { GrowthBookClient } from '@growthbook/growthbook';
import { FlagdCore } from '@openfeature/flagd-core';
import { InMemStorageProvider, Unleash } from 'unleash-client';
import { createDecider } from '../../src/facade/decide.ts';
import { watchState } from '../../src/facade/state-watcher.ts';
import { median } from './processes.ts';

const FLAG = 'cutover.kimi';
const SHARE = 10;
const USERS = 10_000;
const ROUNDS = 15;
/** Each round decides so many times for every user. */
const REPEATS = 10;

type Decide = (user: string) => boolean;

/** Each in the way that is quickest for a server with many users; none speaks to anybody while it is measured. */
async function contenders(): Promise<{ all: Record<string, Decide>; close(): void }> {
  const rollouts = [{ tool: 'kimi', stage: 'live', share: SHARE, epoch: 1, status: 'running' }] as const;
  const off = { enabled: false, share: 0 };
  const state = watchState({
    ledger: { facadeState: async () => ({ rollouts: [...rollouts], settings: {} }) },
    defaults: { enabled: true, tools: { kimi: { enabled: true, share: 0 }, smart_handler: off, supabase: off } },
    pollMs: 3_600_000,
  });
  await state.ready();
  const decide = createDecider(state, Math.random);

  const flagd = new FlagdCore();
  const targeting = { fractional: Object.entries({ unified: SHARE, legacy: 100 - SHARE }) };
  const flag = { state: 'ENABLED', variants: { unified: true, legacy: false }, defaultVariant: 'legacy', targeting };
  flagd.setConfigurations(JSON.stringify({ flags: { [FLAG]: flag } }));

  const strategy = { name: 'flexibleRollout', constraints: [], parameters: { rollout: `${SHARE}`, stickiness: 'userId', groupId: FLAG } };
  const feature = { name: FLAG, type: 'release', enabled: true, stale: false, project: 'default', variants: [], strategies: [strategy] };
  const unleash = new Unleash({
    ...{ appName: 'bench', url: 'http://127.0.0.1:9/', disableMetrics: true, refreshInterval: 3_600_000, disableAutoStart: true },
    storageProvider: new InMemStorageProvider(),
    bootstrap: { data: [{ ...feature, impressionData: false }] },
  });
  // Nobody is at that address: it goes on with what it was given.
  unleash.on('error', () => undefined);
  await unleash.start();

  const rule = { force: true, coverage: SHARE / 100, hashAttribute: 'id' };
  const growthbook = new GrowthBookClient().initSync({ payload: { features: { [FLAG]: { defaultValue: false, rules: [rule] } } } });

  return {
    all: {
      cutover: (user) => decide('kimi', user).route.arm === 'unified',
      '@openfeature/flagd-core': (user) => flagd.resolveBooleanEvaluation(FLAG, false, { targetingKey: user }).value,
      'unleash-client': (user) => unleash.isEnabled(FLAG, { userId: user }),
      '@growthbook/growthbook': (user) => growthbook.isOn(FLAG, { attributes: { id: user } }),
    },
    close() {
      state.close();
      unleash.destroy();
      growthbook.destroy();
    },
  };
}

/** Decisions a second. Throws when they are not of the share: a rate of wrong answers says nothing. */
function rateOf(name: string, decide: Decide, users: readonly string[]): number {
  let covered = 0;
  const started = process.hrtime.bigint();
  for (let repeat = 0; repeat < REPEATS; repeat += 1) for (const user of users) if (decide(user)) covered += 1;
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  const decisions = users.length * REPEATS;
  if (Math.abs((100 * covered) / decisions - SHARE) > 1.5) throw new Error(`${name} covers ${covered} of ${decisions}, not ${SHARE} %`);
  return decisions / seconds;
}

/** Who serves a user: ours beside three flag libraries that evaluate the same rollout in the same process, in turns. */
export async function benchDecisions(): Promise<void> {
  const { all, close } = await contenders();
  // As they come out of a request: in one piece, not as the parts from which they were put together.
  const users = (name: (at: number) => string) => Array.from({ length: USERS }, (_, at) => Buffer.from(name(at)).toString());
  const kinds = {
    'user-1234': users((at) => `user-${at}`),
    UUIDs: users(() => randomUUID()),
    'Zoë 文件 1234': users((at) => `Zoë 文件 ${at}`),
  };
  const rates = new Map<string, number[]>();
  // The first rounds warm up, all of them for all kinds of names: what runs then is what runs in a program.
  for (let round = -5; round < ROUNDS; round += 1)
    for (const [kind, names] of Object.entries(kinds))
      for (const [name, decide] of Object.entries(all)) {
        const rate = rateOf(name, decide, names);
        const key = `${kind} ${name}`;
        if (round >= 0) rates.set(key, [...(rates.get(key) ?? []), rate]);
      }
  close();

  console.log(`facade: decisions at ${SHARE} %, ${USERS} users, medians of ${ROUNDS} rounds in turns, millions a second`);
  const table = Object.keys(kinds).map((kind) => {
    const medians = Object.keys(all).map((name) => [name, median(rates.get(`${kind} ${name}`) ?? [])] as const);
    const [[, ours], ...rivals] = medians as [readonly [string, number], ...(readonly [string, number])[]];
    const fastest = Math.max(...rivals.map(([, rate]) => rate));
    return {
      users: kind,
      ...Object.fromEntries(medians.map(([name, rate]) => [name, (rate / 1e6).toFixed(1)])),
      'ours ÷ the fastest (aim: 5)': (ours / fastest).toFixed(1),
    };
  });
  console.table(table);
}
