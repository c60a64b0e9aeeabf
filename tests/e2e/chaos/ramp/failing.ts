import { inATenth, storing } from '../../../support/candidate.ts';
import type { Case } from '../case.ts';
import { auditUploads } from './audit.ts';
import { rolledBackByItself, SWITCHES, TOOL, withRamp } from './ramp.ts';
import { usersBetween, waits } from './traffic.ts';

/** Of a tenth of all contents the candidate's storage says 503. */
function failing(name: string, env: Record<string, string>, users: readonly string[]): Case {
  return {
    name,
    env: { ...SWITCHES, ...env },
    run: (ground) =>
      withRamp(
        ground,
        {
          proxied: (proxy) =>
            void proxy.always((request) => inATenth(storing(request) ?? '1'), {
              kind: 'answer',
              status: 503,
              body: { message: 'out of order' },
            }),
        },
        async (ramp) => {
          const { start, until, callers } = ramp;
          await start('--bake 1h --evaluate 1s');
          await until('its begin', ({ share }) => share === 1);
          const began = Date.now();
          const traffic = callers(users);
          await until('its end', ({ status }) => status === 'rolled_back', 180_000);
          ground.say(`rolled back after ${((Date.now() - began) / 1000).toFixed(0)} s and ${traffic.sent.length} uploads`);
          const sent = await traffic.stop();
          ground.say(waits(sent));
          const { problems, ...audit } = await auditUploads(ramp, sent);
          return { kills: 0, ...audit, problems: [...problems, ...(await rolledBackByItself(ramp, 1))] };
        },
      ),
  };
}

/** As users come: one in a hundred is covered. */
const ANYBODY = Array.from({ length: 200 }, (_, at) => `user-${at}`);

export const failingRamps: readonly Case[] = [
  failing(
    'ramp, a tenth fails, with shadowing',
    { ENABLE_SHADOW_MODE: 'true', SHADOW_MODE_SAMPLE_RATE: '1', SHADOW_MODE_MAX_SAMPLES_PER_MINUTE: '100000' },
    ANYBODY,
  ),
  failing('ramp, a tenth fails, without shadowing', {}, usersBetween(TOOL, 0, 1, 20)),
];
