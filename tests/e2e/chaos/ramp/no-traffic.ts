import { setTimeout as delay } from 'node:timers/promises';
import type { Case } from '../case.ts';
import { auditUploads } from './audit.ts';
import { SWITCHES, TOOL, withRamp } from './ramp.ts';
import { upload } from './traffic.ts';

/** Nobody uploads while the ramp is under way: it holds, says so, and never goes on. */
export const noTraffic: Case = {
  name: 'ramp, without traffic',
  env: { ...SWITCHES, ENABLE_SHADOW_MODE: 'true' },
  run: (ground) =>
    withRamp(ground, {}, async (ramp) => {
      const { rollout, start, until, application, events } = ramp;
      const problems: string[] = [];
      const sent = [await upload(application.url, 'ann'), await upload(application.url, 'ben')];
      await start('--bake 0s --evaluate 0.2s --min-samples 1');
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
