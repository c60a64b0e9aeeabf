import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { connectTemporal } from '../../../../src/client/connect.ts';
import { loadConfig } from '../../../../src/config/index.ts';
import { connectClient } from '../../../../src/index.ts';
import { findTemporal, obtainTemporal } from '../../../../src/stack/temporal/binary.ts';
import { rolloutWorkflowId } from '../../../../workflows/contract.ts';
import type { Case } from '../case.ts';
import type { Playground } from '../playground.ts';
import { auditUploads } from './audit.ts';
import { type Ramp, SWITCHES, TOOL, withRamp } from './ramp.ts';
import { type Sent, upload, usersBetween, waits } from './traffic.ts';

type Signal = 'pause' | 'resume' | 'promote' | 'rollback';

/** A way in which a person or a program steers a ramp, and who they are then in its history. */
interface Way {
  by: string;
  send(signal: Signal, reason: string): Promise<unknown>;
}

/** Whichever way the four signals come, the same becomes of the ramp, and its history says who and why. */
const signals: Case = {
  name: 'ramp, steered by three ways',
  env: SWITCHES,
  run: (ground) =>
    withRamp(ground, {}, async (ramp) => {
      const { rollout, until, events, config, application } = ramp;
      const sent: Sent[] = [await upload(application.url, 'ann')];
      const temporal = findTemporal(config.stack.cacheDir, ground.env)?.path ?? 'temporal';
      const client = await connectClient(config);
      const send = {
        pause: client.pauseRollout,
        resume: client.resumeRollout,
        promote: client.promoteRollout,
        rollback: client.rollbackRollout,
      };
      const signalled = async (name: string, ...input: string[]) => {
        const args = [
          'workflow',
          'signal',
          '--address',
          config.temporal.address ?? '',
          '--workflow-id',
          rolloutWorkflowId(TOOL),
          '--name',
          name,
        ];
        await promisify(execFile)(temporal, [...args, ...input], { env: ground.env });
      };
      const ways: readonly Way[] = [
        { by: userInfo().username, send: (signal, reason) => rollout(signal, TOOL, '--reason', reason) },
        { by: 'a script', send: (signal, reason) => send[signal](TOOL, { by: 'a script', reason }) },
        { by: 'a signal', send: (signal, reason) => signalled(signal, '--input', JSON.stringify({ reason })) },
        { by: 'ben', send: (signal, reason) => signalled(signal, '--input', JSON.stringify({ by: 'ben', reason })) },
        // As from the Temporal UI, where nobody types JSON.
        { by: 'a signal', send: (signal) => signalled(signal) },
      ];
      const problems: string[] = [];
      try {
        for (const [at, way] of ways.entries()) {
          const saidWhy = at < ways.length - 1;
          const before = (await events()).length;
          await steer(ramp, way);
          const lines = (await events()).slice(before).filter(({ decision }) => decision !== 'held');
          const seen = lines.map(({ decision, decidedBy, reason, shareBefore, shareAfter }) =>
            [decision, decidedBy, reason, shareBefore, shareAfter].join(' / '),
          );
          const why = (signal: Signal, otherwise = 'no reason given') => (saidWhy ? `why ${signal}` : otherwise);
          const expected = [
            `started / ${userInfo().username} / step 1 of 2 / 0 / 5`,
            `paused / ${way.by} / ${why('pause')} / 5 / 5`,
            `resumed / ${way.by} / ${saidWhy ? 'why pause' : 'all pauses lifted'} / 5 / 5`,
            `promoted / ${way.by} / ${why('promote')} / 5 / 5`,
            `went_on / ${way.by} / step 2 of 2: 50 % / 5 / 50`,
            `rolled_back / ${way.by} / ${why('rollback')} / 50 / 0`,
          ];
          if (seen.join('\n') !== expected.join('\n')) problems.push(`way ${at + 1}: ${seen.join('; ')}`);
        }
        const gone = await ground.cutover(['rollout', 'promote', TOOL]);
        if (gone.code === 0) problems.push('a promote after the end was taken');
        ground.say(gone.stderr.trim());
      } finally {
        await client.close();
      }
      await until('its end', ({ share }) => share === 0);
      sent.push(await upload(application.url, 'ann'));
      const audit = await auditUploads(ramp, sent);
      return { kills: 0, ...audit, problems: [...problems, ...audit.problems] };
    }),
};

async function steer({ rollout, until }: Ramp, { send }: Way): Promise<void> {
  await rollout('start', TOOL, '--steps', '5,50', '--bake', '1h', '--evaluate', '10s');
  await until('its begin', ({ share, status }) => share === 5 && status === 'running');
  await send('pause', 'why pause');
  await until('the pause', ({ status }) => status === 'paused');
  // The pause of this reason is lifted.
  await send('resume', 'why pause');
  await until('its going on', ({ status }) => status === 'running');
  await send('promote', 'why promote');
  await until('the next step', ({ share }) => share === 50);
  await send('rollback', 'why rollback');
  await until('its end', ({ status }) => status === 'rolled_back');
}

/** A day of evaluations, one a minute. */
const LOOKS = 1_440;
const MOST_EVENTS = 15_000;

/** Nothing of a step is forgotten in a pause of a day, over which the workflow continues as new; it goes on from there. */
const longPause: Case = {
  name: 'ramp, paused for a day of evaluations',
  withinMs: 600_000,
  env: SWITCHES,
  async run(ground) {
    await hurryTimers(ground);
    return await withRamp(ground, {}, async (ramp) => {
      const { rollout, until, callers, config, events } = ramp;
      const problems: string[] = [];
      const users = [...usersBetween(TOOL, 0, 5, 5), ...usersBetween(TOOL, 50, 100, 5)];
      const client = await connectClient(config);
      const progress = async () => {
        const now = await client.rolloutProgress(TOOL);
        if (now === null) throw new Error('there is no rollout');
        return now;
      };
      try {
        await rollout(
          'start',
          TOOL,
          '--steps',
          '5,20',
          '--bake',
          '15s',
          '--evaluate',
          '0.02s',
          '--min-samples',
          '20',
          '--threshold',
          '20%',
        );
        await until('its begin', ({ share }) => share === 5);
        await rollout('pause', TOOL, '--reason', 'a freeze');
        const traffic = callers(users);
        while (traffic.sent.length < 100) await delay(200, null, { signal: ground.signal });
        const sent = await traffic.stop();
        ground.say(waits(sent));
        await delay(5_000, null, { signal: ground.signal });
        const before = await progress();
        let now = before;
        for (; now.looks < LOOKS; now = await progress()) await delay(1_000, null, { signal: ground.signal });
        ground.say((await rollout('status', TOOL)).stdout.trim().replaceAll('\n', ' |'));
        if (now.state.pauses.join() !== 'a freeze' || now.state.step !== 0)
          problems.push(`it is not paused any more: ${JSON.stringify(now)}`);
        if (JSON.stringify(now.state.evidence) !== JSON.stringify(before.state.evidence) || now.state.bakedMs !== before.state.bakedMs)
          problems.push(`its evidence is another one: ${JSON.stringify([before.state, now.state])}`);
        if (now.state.evidence.candidate.operations < 40) problems.push(`it has seen little: ${JSON.stringify(now.state.evidence)}`);
        await rollout('resume', TOOL);
        await until('the next step', ({ share }) => share === 20);
        await rollout('rollback', TOOL, '--reason', 'the end');
        const lengths = await runLengths(ramp);
        ground.say(`${lengths.length} runs, of ${lengths.join(', ')} events`);
        if (lengths.length < 2 || Math.max(...lengths) > MOST_EVENTS) problems.push(`its runs have ${lengths.join(', ')} events`);
        const lines = (await events()).length;
        if (lines > 20) problems.push(`its history has ${lines} lines`);
        const audit = await auditUploads(ramp, sent);
        return { kills: 0, ...audit, problems: [...problems, ...audit.problems] };
      } finally {
        await client.close();
      }
    });
  },
};

/** A timer of Temporal's server lasts a second at least, unless it is told otherwise: a day of looks would take half an hour. */
async function hurryTimers({ folder, env, signal, say }: Playground): Promise<void> {
  const { cacheDir } = loadConfig({ env, cwd: folder }).stack;
  const { path } = await obtainTemporal({ cacheDir, env, log: say, signal });
  const programs = join(folder, 'programs');
  mkdirSync(programs);
  const told = `--dynamic-config-value 'history.timerProcessorMaxTimeShift="1ms"'`;
  writeFileSync(join(programs, 'temporal'), `#!/bin/sh\nexec '${path}' "$@" ${told}\n`, { mode: 0o755 });
  env.PATH = `${programs}${delimiter}${env.PATH}`;
}

/** Events in each run of the ramp's workflow. */
async function runLengths({ config }: Ramp): Promise<number[]> {
  const { connection, workflow } = await connectTemporal(config.temporal);
  try {
    const lengths: number[] = [];
    for await (const { historyLength } of workflow.list({ query: `WorkflowId = '${rolloutWorkflowId(TOOL)}'` }))
      lengths.push(historyLength);
    return lengths;
  } finally {
    await connection.close();
  }
}

/** Nobody uploads while the ramp is under way: it holds, says so, and never goes on. */
const noTraffic: Case = {
  name: 'ramp, without traffic',
  env: { ...SWITCHES, ENABLE_SHADOW_MODE: 'true' },
  run: (ground) =>
    withRamp(ground, {}, async (ramp) => {
      const { rollout, until, application, events } = ramp;
      const problems: string[] = [];
      const sent = [await upload(application.url, 'ann'), await upload(application.url, 'ben')];
      await rollout('start', TOOL, '--bake', '0s', '--evaluate', '0.2s', '--min-samples', '1');
      await until('its begin', ({ share }) => share === 1);
      const shares = new Set<number>();
      for (const until60 = Date.now() + 30_000; Date.now() < until60; await delay(500, null, { signal: ground.signal }))
        shares.add((await until('its share', () => true)).share);
      if ([...shares].join() !== '1') problems.push(`its shares were ${[...shares].join()}`);
      const { stdout } = await rollout('status', TOOL);
      ground.say(stdout.trim().replaceAll('\n', ' |'));
      if (!stdout.includes('no traffic on the candidate')) problems.push(`status does not say that there is no traffic: ${stdout}`);
      const held = (await events()).filter(({ decision }) => decision === 'held');
      if (held.length !== 1 || !held[0]?.reason.includes('no traffic')) problems.push(`it held ${held.length} times: ${held[0]?.reason}`);
      await rollout('rollback', TOOL, '--reason', 'the end');
      const audit = await auditUploads(ramp, sent);
      return { kills: 0, ...audit, problems: [...problems, ...audit.problems] };
    }),
};

export const steeredRamps: readonly Case[] = [signals, longPause, noTraffic];
