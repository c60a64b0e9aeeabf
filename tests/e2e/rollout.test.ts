import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Ran, startCommand } from '../support/command.ts';
import { type Running, runOn } from '../support/running.ts';
import { cleanEnv } from '../support/stack.ts';

/** `cutover rollout` as an operator uses it, over a worker that runs; the tool is one that no other test ramps. */

const TOOL = 'smart_handler';
const SWITCHES = { ENABLE_UNIFIED_MANAGER: 'true', ENABLE_SMART_HANDLER_MIGRATION: 'true' };
let running: Running;
beforeAll(async () => {
  running = await runOn({ temporal: inject('temporal'), supabase: inject('supabase'), stateDir: inject('stateDir') }, SWITCHES);
});
afterAll(() => running?.stop());

const rollout = (args: readonly string[], more: Record<string, string> = SWITCHES): Promise<Ran> =>
  startCommand(['rollout', ...args], {
    cwd: running.folder,
    env: cleanEnv(running.folder, {
      TEMPORAL_ADDRESS: inject('temporal').address,
      TEMPORAL_TASK_QUEUE: running.config.temporal.taskQueue,
      SUPABASE_URL: inject('supabase').url,
      SUPABASE_SECRET_KEY: inject('supabase').secretKey,
      ...more,
    }),
  }).ended;

describe('cutover rollout', { timeout: 60_000 }, () => {
  it.each<[string, string[], Record<string, string>, RegExp]>([
    ['while a switch is off', [TOOL], {}, /ENABLE_UNIFIED_MANAGER and ENABLE_SMART_HANDLER_MIGRATION are off/],
    ['for a tool that there is not', ['banana'], SWITCHES, /no tool "banana"; there are: kimi, smart_handler, supabase/],
    ['with a share of 101', [TOOL, '--steps', '1,101'], SWITCHES, /from 0 to 100, in per cent \(101 is not\)/],
    ['with steps that go down', [TOOL, '--steps', '10,5'], SWITCHES, /from 10 % to 5 %/],
    ['without a step', [TOOL, '--steps', ''], SWITCHES, /no steps/],
    ['with a gate that is no step', [TOOL, '--gate', '20'], SWITCHES, /no step of 20 %/],
    ['with a time without a unit', [TOOL, '--bake', '60'], SWITCHES, /90s, 15m, 1.5h or 2d/],
  ])('is refused %s, and nothing is started', async (_, args, env, message) => {
    const { code, stdout, stderr } = await rollout(['start', ...args], env);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(await running.stores.rollouts.rollout(TOOL)).toBeNull();
  });

  it('is started once, paused, resumed, promoted and rolled back; its history says by whom and why', async () => {
    expect((await rollout(['start', TOOL, '--steps', '5,50', '--bake', '1h', '--evaluate', '1s', '--reason', 'first'])).code).toBe(0);
    const again = await rollout(['start', TOOL]);
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('is under way')]);
    await expect.poll(async () => (await rollout(['status', TOOL])).stdout, { timeout: 20_000 }).toMatch(/5 %, step 1 of 2, running/);
    await rollout(['pause', TOOL, '--reason', 'deploy']);
    await expect.poll(async () => (await rollout(['status', TOOL])).stdout, { timeout: 20_000 }).toMatch(/paused: deploy/);
    await rollout(['resume', TOOL]);
    await rollout(['promote', TOOL, '--reason', 'approved']);
    await expect.poll(async () => JSON.parse((await rollout(['status', TOOL, '--json'])).stdout).share, { timeout: 20_000 }).toBe(50);
    const back = await rollout(['rollback', TOOL, '--reason', 'incident']);
    expect([back.code, back.stdout]).toEqual([0, `${TOOL}: 0 %, step 2 of 2, rolled back\n`]);
    expect((await rollout(['rollback', TOOL])).stderr).toContain('is rolled back already');
    expect((await rollout(['promote', TOOL])).code).not.toBe(0);

    const { stdout } = await rollout(['history', TOOL, '--json']);
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { decision: string; reason: string; shareAfter: number });
    expect(events.map(({ decision }) => decision).filter((decision) => decision !== 'held')).toEqual([
      ...['started', 'paused', 'resumed', 'promoted', 'went_on', 'rolled_back'],
    ]);
    expect(events.at(-1)).toMatchObject({ reason: 'incident', shareAfter: 0 });
    expect((await rollout(['rejudge', TOOL, '--threshold', '1%'])).stdout).toMatch(/^5 %: hold to the end/);
    const watched = await rollout(['watch', TOOL]);
    expect([watched.code, watched.stdout.trim().split('\n').length]).toEqual([1, events.length]);
  });
});
