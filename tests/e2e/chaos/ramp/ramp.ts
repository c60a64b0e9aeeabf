import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Config, loadConfig } from '../../../../src/config/index.ts';
import { readDotenv } from '../../../../src/config/layers.ts';
import type { RolloutEvent, RolloutRecord } from '../../../../src/ledger/rollout-ledger.ts';
import { connectStores, type Stores } from '../../../../src/manager/stores.ts';
import { type FaultProxy, startFaultProxy } from '../../../support/fault-proxy.ts';
import { type LegacyServer, startLegacyServer } from '../../../support/legacy-server.ts';
import type { Playground, Ran } from '../playground.ts';
import { type Application, startApplication } from './application.ts';
import { startTraffic, type Traffic, type TrafficOptions } from './traffic.ts';

/** What is ramped, and what the switches are. */
export const TOOL = 'kimi';
export const SWITCHES = { ENABLE_UNIFIED_MANAGER: 'true', ENABLE_KIMI_MIGRATION: 'true' };
const LEGACY_BUCKET = 'legacy';

/** The example application beside two workers, for a tool that is ramped. */
export interface Ramp {
  ground: Playground;
  application: Application;
  config: Config;
  stores: Stores;
  /** `cutover rollout …`, which must end well. */
  rollout(...args: string[]): Promise<Ran>;
  /** `cutover rollout start` with these options, parted by spaces. */
  start(options: string): Promise<Ran>;
  /** Waits until what is in force is as wanted. @throws Error with what it was last */
  until(what: string, wanted: (record: RolloutRecord) => boolean, withinMs?: number): Promise<RolloutRecord>;
  events(): Promise<RolloutEvent[]>;
  /** Callers of the application, who go on until they are stopped. */
  callers(users: readonly string[], options?: TrafficOptions): Traffic;
}

export interface RampOptions {
  /** Between the workers and Supabase, so that the candidate can be made to fail. Without it the stack's own workers run. */
  proxied?: (proxy: FaultProxy) => void;
  /** The old path is an endpoint apart from the stack; absent: a bucket of the stack. */
  legacy?: { spelled?: (name: string) => string };
}

/** Runs the stack, the workers and the application; whatever comes of it, they are ended again. */
export async function withRamp<T extends { problems: string[] }>(
  ground: Playground,
  { proxied, legacy }: RampOptions,
  work: (ramp: Ramp) => Promise<T>,
): Promise<T> {
  const closing: (() => Promise<unknown>)[] = [];
  try {
    await ground.up(proxied === undefined ? 2 : 0);
    const old = await oldPath(ground, legacy, closing);
    if (proxied !== undefined) await startWorkers(ground, proxied, closing);
    const application = await startApplication(ground, old);
    closing.push(() => application.close());
    const config = loadConfig({ env: ground.env, cwd: ground.folder });
    const stores = connectStores(config);
    const ramp: Ramp = {
      ...{ ground, application, config, stores },
      rollout: (...args) => ground.must(['rollout', ...args]),
      start: (options) => ground.must(['rollout', 'start', TOOL, ...options.split(' ')]),
      async until(what, wanted, withinMs = 120_000) {
        let last: RolloutRecord | null = null;
        for (const until = Date.now() + withinMs; Date.now() < until; await delay(300, null, { signal: ground.signal })) {
          // It may be away, on purpose.
          last = await stores.rollouts.rollout(TOOL).catch(() => last);
          if (last !== null && wanted(last)) return last;
        }
        throw new Error(`${what} did not come within ${withinMs / 1000} s: ${JSON.stringify(last)}`);
      },
      callers(users, options) {
        const traffic = startTraffic(application.url, users, options);
        closing.push(() => traffic.stop());
        return traffic;
      },
      events: () => stores.rollouts.events(TOOL, { after: null, limit: 1000 }),
    };
    const found = await work(ramp);
    const { stdout } = await ground.must(['rollout', 'history', TOOL]);
    for (const line of stdout.trim().split('\n')) ground.say(line);
    const said = application.said();
    if (said.length > 0) ground.say(`the application said ${said.length} lines, such as: ${[...new Set(said)].slice(0, 3).join(' | ')}`);
    return { ...found, problems: [...found.problems, ...(await application.close())] };
  } finally {
    for (const close of closing.reverse()) await close().catch(() => undefined);
  }
}

async function oldPath(
  ground: Playground,
  legacy: RampOptions['legacy'],
  closing: (() => Promise<unknown>)[],
): Promise<Record<string, string>> {
  if (legacy === undefined) {
    await ground.must(['buckets', 'create', LEGACY_BUCKET]);
    return { LEGACY_BUCKET };
  }
  const server: LegacyServer = await startLegacyServer('legacy-token', legacy.spelled);
  closing.push(() => server.close());
  return { LEGACY_URL: server.url, LEGACY_TOKEN: server.token };
}

async function startWorkers(ground: Playground, proxied: (proxy: FaultProxy) => void, closing: (() => Promise<unknown>)[]): Promise<void> {
  const { SUPABASE_URL = '', SUPABASE_SECRET_KEY = '' } = readDotenv(join(ground.stateDir, 'stack.env'));
  const proxy = await startFaultProxy(SUPABASE_URL);
  closing.push(() => proxy.close());
  proxied(proxy);
  const stop = new AbortController();
  const env = { SUPABASE_URL: proxy.url, SUPABASE_SECRET_KEY };
  const workers = Array.from({ length: 2 }, () => ground.cutover(['worker'], { env, until: stop.signal }));
  closing.push(async () => {
    stop.abort();
    await Promise.all(workers);
  });
}

/** Waits until mismatches alone hold the ramp. @returns what its history says of them */
export async function heldByMismatches({ ground, events }: Ramp): Promise<string> {
  for (;;) {
    const lines = await events();
    const held = lines.find(({ decision, reason }) => decision === 'held' && /^(mismatches|timing): [^;]*$/.test(reason));
    if (held !== undefined) return held.reason;
    const last = lines.at(-1);
    if (last?.decision === 'rolled_back') throw new Error(`it was rolled back instead of held: ${last.reason}`);
    await delay(500, null, { signal: ground.signal });
  }
}

/** The line that the judge ended it with. @returns problems */
export async function rolledBackByItself({ events }: Ramp, share: number): Promise<string[]> {
  const last = (await events()).at(-1);
  const right = last?.decision === 'rolled_back' && last.decidedBy === 'the judge' && last.shareBefore === share && last.shareAfter === 0;
  return right ? [] : [`it was not rolled back by itself at ${share} %: ${JSON.stringify({ ...last, evidence: undefined })}`];
}
