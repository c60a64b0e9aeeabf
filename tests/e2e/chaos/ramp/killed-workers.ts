import { setTimeout as delay } from 'node:timers/promises';
import type { Case } from '../case.ts';
import { auditUploads } from './audit.ts';
import { SWITCHES, TOOL, withRamp } from './ramp.ts';
import { usersBetween, waits } from './traffic.ts';

const USERS = [0, 5, 20, 50].flatMap((from, at) => usersBetween(TOOL, from, [5, 20, 50, 100][at] ?? 100, 6));

/** A worker is killed in each step: callers wait a little, and notice nothing else. */
export const killedWorkers: Case = {
  name: 'ramp, a worker is killed in each step',
  withinMs: 360_000,
  env: SWITCHES,
  run: (ground) =>
    withRamp(ground, {}, async (ramp) => {
      const { rollout, start, until, callers } = ramp;
      const traffic = callers(USERS);
      await start('--steps 5,20,50 --bake 12s --evaluate 1s --min-samples 20 --threshold 20%');
      let kills = 0;
      for (const [share, worker] of [
        [5, 'worker-1'],
        [20, 'worker-2'],
        [50, 'worker-1'],
      ] as const) {
        await until(`the step of ${share} %`, (record) => record.share === share);
        await delay(4_000 + Math.random() * 2_000, null, { signal: ground.signal });
        kills += await ground.kill([worker]);
      }
      await until('the end of the last step', ({ status }) => status === 'guarding');
      await rollout('promote', TOOL);
      await until('its completion', ({ status }) => status === 'completed');
      const sent = await traffic.stop();
      ground.say(waits(sent));
      const audit = await auditUploads(ramp, sent);
      if (kills < 3) audit.problems.push(`only ${kills} workers were killed`);
      return { kills, ...audit };
    }),
};
