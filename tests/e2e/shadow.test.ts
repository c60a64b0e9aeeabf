import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it, test } from 'vitest';
import type { RolloutPlan } from '../../src/domain/rollout.ts';
import { overridesOf, shadowKey } from '../../src/domain/shadow.ts';
import type { ShadowReport } from '../../src/ledger/rollout-ledger.ts';
import { type RolloutInput, rolloutWorkflowId } from '../../workflows/contract.ts';
import { inATenth, storing } from '../support/candidate.ts';
import { type Ran, startCommand } from '../support/command.ts';
import { type RunningFacade, startFacade } from '../support/facade.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { type Running, runOn } from '../support/running.ts';
import { cleanEnv } from '../support/stack.ts';

/** `cutover shadow` as an operator uses it, beside a facade and a worker that run; and what shadowing does for a ramp. */

const TOOL = 'shadowed';
const SWITCHES = { ENABLE_UNIFIED_MANAGER: 'true', CUTOVER_TOOLS: TOOL, ENABLE_SHADOWED_MIGRATION: 'true' };
let proxy: FaultProxy;
let running: Running;
let application: RunningFacade;
beforeAll(async () => {
  proxy = await startFaultProxy(inject('supabase').url);
  running = await runOn(
    { temporal: inject('temporal'), supabase: { ...inject('supabase'), url: proxy.url }, stateDir: inject('stateDir') },
    // How long a comparison takes is a matter of the machine's load.
    { ...SWITCHES, MAX_RETRY_ATTEMPTS: '0', SHADOW_MODE_INCLUDE_TIMING: 'false' },
  );
  application = await startFacade(running);
}, 60_000);
afterAll(async () => {
  await shadow(['stop', TOOL]);
  await application?.close();
  await running?.stop();
  await proxy?.close();
}, 60_000);

const shadow = (args: readonly string[], more: Record<string, string> = SWITCHES): Promise<Ran> =>
  startCommand(['shadow', ...args], {
    cwd: running.folder,
    env: cleanEnv(running.folder, { SUPABASE_URL: inject('supabase').url, SUPABASE_SECRET_KEY: inject('supabase').secretKey, ...more }),
  }).ended;
const setting = async () => (await running.stores.rollouts.facadeState()).settings[shadowKey(TOOL)];
const content = () => ({ bytes: Buffer.from(`content ${randomUUID()}`), name: 'note.txt' });

describe('cutover shadow', { timeout: 60_000 }, () => {
  it.each<[string, string[], RegExp]>([
    ['for a tool that there is not', ['start', 'banana'], /no tool "banana"; there are: kimi, smart_handler, supabase/],
    ['without a tool', ['stop'], /missing required argument 'tool'/],
    ['with a rate of 2', ['start', TOOL, '--sample-rate', '2'], /from 0 to 1, such as 0.1 or 10%/],
    ['with a rate of 101 %', ['set', TOOL, '--sample-rate', '101%'], /from 0 to 1/],
    ['with no comparison a minute', ['start', TOOL, '--max-per-minute', '0'], /--max-per-minute/],
    ['with a time without a unit', ['set', TOOL, '--cooldown', '30'], /90s, 15m, 1.5h or 2d/],
    ['with nothing to set', ['set', TOOL], /--sample-rate, --max-per-minute, --duration/],
    ['since a day that there is not', ['report', TOOL, '--since', '2026-02-31'], /2026-01-31T12:00:00Z, or how long ago/],
    ['since nonsense', ['report', TOOL, '--since', 'yesterday'], /how long ago|90s, 15m/],
    ['with half an example', ['report', TOOL, '--examples', '0.5'], /--examples/],
  ])('is refused %s, and nothing is set', async (_, args, message) => {
    const before = await setting();
    const { code, stdout, stderr } = await shadow(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(await setting()).toEqual(before);
  });

  it('starts, changes and stops what a facade that runs compares, and reports it', async () => {
    const compared = async (since: string): Promise<ShadowReport> =>
      JSON.parse((await shadow(['report', TOOL, '--since', since, '--json'])).stdout) as ShadowReport;
    const began = new Date().toISOString();
    const started = await shadow(['start', TOOL, '--sample-rate', '100%', '--max-per-minute', '1000', '--duration', '1h']);
    expect([started.code, started.stdout]).toEqual([0, `${TOOL}: 100 % of uploads are compared, at most 1000 a minute, for 1 h\n`]);
    expect(started.stderr).toContain('within 5 seconds');
    await expect
      .poll(
        async () => {
          await application.facade.upload(content(), { tool: TOOL, userId: 'ann' });
          return (await running.stores.shadow.shadowReport(TOOL, began, 0)).comparisons;
        },
        { timeout: 30_000, interval: 500 },
      )
      .toBeGreaterThan(0);

    const set = await shadow(['set', TOOL, '--sample-rate', '0.25', '--json']);
    expect(JSON.parse(set.stdout)).toMatchObject({
      tool: TOOL,
      enabled: true,
      sampleRate: 0.25,
      maxSamplesPerMinute: 1000,
      durationMs: 3_600_000,
    });
    expect((await shadow(['status', TOOL])).stdout).toContain('25 % of uploads are compared, at most 1000 a minute');

    const stopped = await shadow(['stop', TOOL]);
    expect(stopped.stdout).toBe(`${TOOL}: nothing is compared\n`);
    expect(overridesOf(await setting())).toMatchObject({ enabled: false, sampleRate: 0.25 });

    const report = await compared(began);
    expect(report).toMatchObject({
      tool: TOOL,
      since: began,
      comparisons: report.matched,
      pairs: { neither: report.comparisons },
      fields: [],
    });
    const { stdout } = await shadow(['report', TOOL, '--since', '1h']);
    expect(stdout).toMatch(/^shadowed: \d+ comparisons, \d+ alike/);
    expect(stdout).toMatch(/control +\d+ ms/);
    expect((await shadow(['report', TOOL, '--since', '2099-01-01'])).stdout).toBe(`${TOOL}: nothing was compared\n`);
  });

  it('says that nothing will be compared where the master switch is off', async () => {
    const { code, stderr } = await shadow(['start', TOOL, '--sample-rate', '0'], { CUTOVER_TOOLS: TOOL });
    expect([code, stderr]).toEqual([0, expect.stringContaining('ENABLE_UNIFIED_MANAGER is off here')]);
    await shadow(['stop', TOOL]);
  });
});

test('A ramp at 5 % whose candidate fails at a tenth is taken back for what shadowing finds, and no caller saw an error', async () => {
  // One of its own, so that nobody else ramps it.
  const tool = `tool-${randomUUID().slice(0, 8)}`;
  const { config } = running;
  const tools = { ...config.migration.tools, [tool]: { enabled: true, share: 0, switch: 'none' } };
  const shadowing = { ...config.migration.shadow, enabled: true, sampleRate: 1, maxSamplesPerMinute: 10_000 };
  const own = await startFacade({ ...running, config: { ...config, migration: { ...config.migration, tools, shadow: shadowing } } });
  const fixed = proxy.always((request) => inATenth(storing(request) ?? '1'), { kind: 'answer', status: 503, body: {} });
  const plan: RolloutPlan = {
    ...{ tool, steps: [5], bakeMs: 3_600_000, evaluationMs: 300, gates: [] },
    rules: {
      ...{
        threshold: 0.05,
        minSamples: 30,
        alpha: 0.01,
        beta: 0.05,
        steps: 1,
        stickyUsers: true,
        onMismatch: 'hold',
        mismatchTolerance: 0,
      },
      // Neither its own failures nor the live control may speak.
      tests: { wald: false, liveControl: false, pairs: true },
    },
  };
  const input: RolloutInput = { plan, startedBy: 'ann', reason: null, firstStep: 0, looksPerRun: 1000 };
  const { taskQueue } = config.temporal;
  const handle = await running.temporal.workflow.start('rollout', { workflowId: rolloutWorkflowId(tool), taskQueue, args: [input] });
  await expect.poll(() => own.share(tool), { timeout: 20_000 }).toBe(5);
  for (let at = 0; own.share(tool) > 0 && at < 60; at += 1) {
    const uploads = Array.from({ length: 10 }, (_, user) => own.facade.upload(content(), { tool, userId: `user-${10 * at + user}` }));
    expect((await Promise.all(uploads)).length).toBe(10);
  }
  expect(await handle.result()).toMatchObject({ state: { status: 'rolled_back', share: 0 } });
  fixed();
  const last = (await running.stores.rollouts.events(tool, { after: null, limit: 100 })).at(-1);
  expect(last).toMatchObject({ decision: 'rolled_back', decidedBy: 'the judge', shareBefore: 5, shareAfter: 0 });
  expect(last?.reason).toMatch(/pairs: of \d+ shadow comparisons|breaker: shadowing rests/);
  await own.close();
}, 120_000);
