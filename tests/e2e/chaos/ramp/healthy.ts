import type { Case } from '../case.ts';
import { auditUploads } from './audit.ts';
import { SWITCHES, TOOL, withRamp } from './ramp.ts';
import { movedBack, usersBetween, waits } from './traffic.ts';

/** A healthy candidate takes over 1, 10 and 50 % of the users; nobody is moved back, and every file can be read in the end. */
export const healthyRamp: Case = {
  name: 'ramp, healthy, 1 to 10 to 50 percent',
  env: { ...SWITCHES, ENABLE_SHADOW_MODE: 'true', SHADOW_MODE_SAMPLE_RATE: '0.2' },
  run: (ground) =>
    withRamp(ground, {}, async (ramp) => {
      const { rollout, start, until, events, callers } = ramp;
      const [first, second, third, never] = [
        usersBetween(TOOL, 0, 1, 10),
        usersBetween(TOOL, 1, 10, 10),
        usersBetween(TOOL, 10, 50, 10),
        usersBetween(TOOL, 50, 100, 20),
      ] as const;
      const traffic = callers([...first, ...second, ...third, ...never]);
      await start('--bake 10s --evaluate 2s --min-samples 30 --threshold 20%');
      const watching = ground.cutover(['rollout', 'watch', TOOL]);
      await until('the end of the last step', ({ status }) => status === 'guarding' || status === 'rolled_back', 180_000);
      await rollout('promote', TOOL, '--reason', 'all is well');
      await until('its completion', ({ status }) => status === 'completed');
      const sent = await traffic.stop();
      ground.say(waits(sent));
      const { files, problems, ...audit } = await auditUploads(ramp, sent);
      const shares = (await events())
        .filter(({ decision }) => decision === 'started' || decision === 'went_on')
        .map((event) => event.shareAfter);
      if (shares.join() !== '1,10,50') problems.push(`its shares were ${shares.join()}`);
      const back = movedBack(sent);
      if (back.length > 0) problems.push(`moved back: ${back.join()}`);
      const served = new Set(sent.filter(({ answer }) => answer?.servedBy === 'unified').map(({ user }) => user));
      if (![...first, ...second, ...third].every((user) => served.has(user)) || never.some((user) => served.has(user)))
        problems.push(`unified did not serve the right users: ${[...served].join()}`);
      const fallbacks = sent.filter(({ answer }) => answer?.fallback === true).length;
      if (fallbacks > 0) problems.push(`legacy answered ${fallbacks} uploads instead`);
      const watched = await watching;
      if (watched.code !== 0 || !watched.stdout.includes('all is well'))
        problems.push(`watch ended with ${watched.code}: ${watched.stdout}`);
      return { files, kills: 0, ...audit, problems };
    }),
};
