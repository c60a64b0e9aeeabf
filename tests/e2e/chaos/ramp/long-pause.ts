import { mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connectTemporal } from '../../../../src/client/connect.ts';
import { loadConfig } from '../../../../src/config/index.ts';
import { connectClient } from '../../../../src/index.ts';
import { obtainTemporal } from '../../../../src/stack/temporal/binary.ts';
import { rolloutWorkflowId } from '../../../../workflows/contract.ts';
import type { Case } from '../case.ts';
import type { Playground } from '../playground.ts';
import { auditUploads } from './audit.ts';
import { type Ramp, SWITCHES, TOOL, withRamp } from './ramp.ts';
import { usersBetween, waits } from './traffic.ts';

/** A day of evaluations, one a minute. */
const LOOKS = 1_440;
const MOST_EVENTS = 15_000;

/** Nothing of a step is forgotten in a pause of a day, over which the workflow continues as new; it goes on from there. */
export const longPause: Case = {
  name: 'ramp, paused for a day of evaluations',
  withinMs: 900_000,
  env: SWITCHES,
  async run(ground) {
    await hurryTimers(ground);
    return await withRamp(ground, {}, async (ramp) => {
      const { rollout, start, until, callers, config, events } = ramp;
      const problems: string[] = [];
      const users = [...usersBetween(TOOL, 0, 5, 5), ...usersBetween(TOOL, 50, 100, 5)];
      const client = await connectClient(config);
      const progress = async () => {
        const now = await client.rolloutProgress(TOOL);
        if (now === null) throw new Error('there is no rollout');
        return now;
      };
      try {
        await start('--steps 5,20 --bake 15s --evaluate 0.02s --min-samples 20 --threshold 20%');
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
