import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Ran, startCommand } from '../support/command.ts';
import { type Running, runOn } from '../support/running.ts';
import { cleanEnv } from '../support/stack.ts';
import { dropBucket, freshBucket, supabaseProvider } from '../support/supabase-provider.ts';

/** `cutover rollout` as an operator uses it, over a worker that runs; the tool is one that no other test ramps. */

const TOOL = 'smart_handler';
const SWITCHES = { ENABLE_UNIFIED_MANAGER: 'true', ENABLE_SMART_HANDLER_MIGRATION: 'true' };
let running: Running;
const bucket = freshBucket();
beforeAll(async () => {
  await supabaseProvider({ bucket }).check(new AbortController().signal);
  running = await runOn(
    { temporal: inject('temporal'), supabase: inject('supabase'), stateDir: inject('stateDir') },
    { ...SWITCHES, LEGACY_BUCKET: bucket },
  );
});
afterAll(async () => {
  await running?.stop();
  await dropBucket(bucket);
});

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

describe('cutover rollout stage', { timeout: 180_000 }, () => {
  const stageOf = async () => (await running.stores.rollouts.rollout(TOOL))?.stage;
  const refused = async (args: readonly string[], message: RegExp, env?: Record<string, string>) => {
    const before = await running.stores.rollouts.rollout(TOOL);
    const { code, stdout, stderr } = await rollout(args, env);
    expect([code, stdout], args.join(' ')).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(await running.stores.rollouts.rollout(TOOL)).toEqual(before);
  };

  it('says where a tool is and what the next stage needs, and refuses what is missing, with the reasons', async () => {
    const { code, stdout } = await rollout(['stage', TOOL]);
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/^smart_handler {2}live, 0 % of users \(for .*\)\n {2}ramp down needs:\n {2}- unified serves 0 %/),
    ]);
    expect(JSON.parse((await rollout(['stage', TOOL, '--json'])).stdout)).toMatchObject({
      stage: 'live',
      next: 'ramp_down',
      missing: { length: 1 },
    });
    await refused(['stage', TOOL, 'ramp_down'], /stays in the stage live: unified serves 0 % .*--force --reason WHY/);
    await refused(['stage', TOOL, 'complete'], /one at a time: from live to shadow or ramp down/);
    await refused(['stage', TOOL, 'banana'], /no stage "banana"; there are, in this order: off, dual_write/);
    await refused(['stage', 'banana'], /no tool "banana"/);
    await refused(['stage', TOOL, 'ramp_down', '--force'], /--force needs --reason/);
    await refused(['stage', TOOL, 'complete', '--force', '--reason', 'now'], /one at a time/);
  });

  it('does without evidence when it is told why; a rollback from there lets legacy answer, and copies what only unified has', async () => {
    const forced = await rollout(['stage', TOOL, 'ramp_down', '--force', '--reason', 'a rehearsal']);
    expect([forced.code, forced.stdout]).toEqual([0, `${TOOL}: ramp down\n`]);
    expect((await running.stores.rollouts.events(TOOL, { after: null, limit: 1000 })).at(-1)).toMatchObject({
      ...{ decision: 'stage_moved', reason: 'a rehearsal', stageBefore: 'live', stageAfter: 'ramp_down' },
      evidence: { forced: true, missing: [expect.stringContaining('0 %')] },
    });
    await refused(['start', TOOL], /in the stage ramp down, in which unified answers everything/);
    const path = running.put('only-here.txt', 'a text that only unified has');
    const handle = await running.client.startUpload({
      ...{ idempotencyKey: bucket, provider: 'supabase', namespace: 'live', verify: 'none', onDuplicate: 'reuse' },
      source: { kind: 'path', path, sizeBytes: 28, modifiedMs: 0 },
      reference: { name: 'only-here.txt', tool: TOOL, userId: 'ann', purpose: 'storage', context: null, tags: [], keep: 'keep' },
    });
    const { fileId } = await running.client.uploadResult(handle);
    const listed = await rollout(['files', TOOL]);
    expect(listed.stdout).toMatch(new RegExp(`^ID .*\n${fileId}  28 B  ann  -  only-here.txt\n$`));
    expect(listed.stderr).toMatch(/1 file, 28 B; 1 file is only at unified\n.*rollout rehome/);

    const back = await rollout(['rollback', TOOL, '--rehome', '--reason', 'the rehearsal is over']);
    expect(back.stdout).toMatch(
      /^smart_handler: 0 %, .*rolled back\nRe-homing smart_handler done: 1 file in .*\n {2}copied and checked {2}1, 28 B\n/,
    );
    expect([back.code, await stageOf()]).toEqual([0, 'live']);
    const [file] = (await rollout(['files', TOOL, '--json'])).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(file).toMatchObject({ fileId, legacyId: expect.any(String), name: 'only-here.txt', userId: 'ann', sizeBytes: 28 });
    const again = await rollout(['rehome', TOOL, '--json', '--verify', 'download']);
    expect(JSON.parse(again.stdout)).toMatchObject({ phase: 'done', totals: { listed: 0, copied: 0, failed: 0 } });
    await refused(['files', TOOL, '--report', 'x.txt'], /must end in .csv or .jsonl/);
    expect((await rollout(['files', TOOL, '--report', 'files.csv'])).code).toBe(0);
  });

  it('goes back whatever is missing, down to off, where a switch that is off keeps it', async () => {
    for (const stage of ['shadow', 'dual_write', 'off'])
      expect((await rollout(['stage', TOOL, stage])).stdout).toBe(`${TOOL}: ${stage.replace('_', ' ')}\n`);
    await refused(['stage', TOOL, 'dual_write'], /ENABLE_UNIFIED_MANAGER and ENABLE_SMART_HANDLER_MIGRATION are off/, {});
    expect((await rollout(['stage', TOOL], {})).stdout).toMatch(
      /off \(for .*\)\n {2}dual write needs:\n {2}- ENABLE_UNIFIED_MANAGER and .* must be true/,
    );
    expect((await rollout(['stage', TOOL, 'dual_write'])).code).toBe(0);
    await refused(['stage', TOOL, 'shadow'], /0 of 150 mirrored uploads/);
    const nothing = await rollout(['rollback', TOOL]);
    expect([nothing.code, nothing.stderr, await stageOf()]).toEqual([
      0,
      expect.stringContaining('in the stage dual write: legacy answers everything already'),
      'dual_write',
    ]);
    await refused(['start', TOOL], /in the stage dual write/);
  });
});
