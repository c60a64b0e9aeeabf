import { execFile } from 'node:child_process';
import { userInfo } from 'node:os';
import { promisify } from 'node:util';
import { connectClient } from '../../../../src/index.ts';
import { findTemporal } from '../../../../src/stack/temporal/binary.ts';
import { rolloutWorkflowId } from '../../../../workflows/contract.ts';
import type { Case } from '../case.ts';
import { auditUploads } from './audit.ts';
import { type Ramp, SWITCHES, TOOL, withRamp } from './ramp.ts';
import { type Sent, upload } from './traffic.ts';

type Signal = 'pause' | 'resume' | 'promote' | 'rollback';

/** A way in which a person or a program steers a ramp, and who they are then in its history. */
interface Way {
  by: string;
  send(signal: Signal, reason: string): Promise<unknown>;
}

/** Whichever way the four signals come, the same becomes of the ramp, and its history says who and why. */
export const signalledRamp: Case = {
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
        const to = ['--address', config.temporal.address ?? '', '--workflow-id', rolloutWorkflowId(TOOL)];
        await promisify(execFile)(temporal, ['workflow', 'signal', ...to, '--name', name, ...input], { env: ground.env });
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

async function steer({ start, until }: Ramp, { send }: Way): Promise<void> {
  await start('--steps 5,50 --bake 1h --evaluate 10s');
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
