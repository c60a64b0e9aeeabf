import { storing } from '../../../support/candidate.ts';
import type { Fault } from '../../../support/fault-proxy.ts';
import type { Case } from '../case.ts';
import { auditUploads } from './audit.ts';
import { heldByMismatches, rolledBackByItself, SWITCHES, TOOL, withRamp } from './ramp.ts';
import { longestWait, usersBetween, waits } from './traffic.ts';

/** Half of them are covered by the first step. */
const USERS = [...usersBetween(TOOL, 0, 5, 6), ...usersBetween(TOOL, 50, 100, 6)];
const STEPS = '--steps 5,20,50 --evaluate 1s';
const stores = (fault: Fault) => ({
  proxied: (proxy: { always(match: (request: { method: string; path: string }) => boolean, fault: Fault): unknown }) =>
    void proxy.always((request) => storing(request) !== null, fault),
});

/** Waiting for a workflow; what a caller waits for legacy's answer is this, and legacy's own time. */
const SHIM_MS = 6_000;
const SLACK_MS = 4_000;

/** Nothing that the candidate stores is ever answered: its users are answered by legacy instead, in bounded time. */
const hanging: Case = {
  name: 'ramp, the candidate hangs',
  env: { ...SWITCHES, TOOL_TIMEOUT_SECONDS: String(SHIM_MS / 3_000), TRANSFER_IDLE_TIMEOUT_SECONDS: '2' },
  run: (ground) =>
    withRamp(ground, stores({ kind: 'hang' }), async (ramp) => {
      const { start, until, callers } = ramp;
      await start(`--bake 1h ${STEPS}`);
      await until('its begin', ({ share }) => share === 5);
      const traffic = callers(USERS, { callers: 8 });
      await until('its end', ({ status }) => status === 'rolled_back');
      const sent = await traffic.stop();
      ground.say(waits(sent));
      const { problems, ...audit } = await auditUploads(ramp, sent);
      if (longestWait(sent) > SHIM_MS + SLACK_MS) problems.push(`a caller waited ${longestWait(sent)} ms`);
      return { kills: 0, ...audit, problems: [...problems, ...(await rolledBackByItself(ramp, 5))] };
    }),
};

/** More than twice legacy's time and five seconds is a difference. */
const SLOW_MS = 8_000;

/** The candidate does everything right, and slowly: that holds a ramp, or takes it back where that was asked for. */
const slow: Case = {
  name: 'ramp, the candidate is slow',
  env: { ...SWITCHES, ENABLE_SHADOW_MODE: 'true', SHADOW_MODE_SAMPLE_RATE: '1' },
  run: (ground) =>
    withRamp(ground, stores({ kind: 'delay', ms: SLOW_MS }), async (ramp) => {
      const { rollout, start, until, callers } = ramp;
      const problems: string[] = [];
      const settings = `--bake 5s --min-samples 5 --threshold 30% ${STEPS}`;
      const traffic = callers(USERS, { callers: 4, gapMs: 500 });
      await start(settings);
      await heldByMismatches(ramp);
      const { stdout } = await ground.must(['rollout', 'status', TOOL]);
      ground.say(stdout.trim().replaceAll('\n', ' |'));
      if (!/timing +hold .*slower/.test(stdout)) problems.push(`status does not say what differs: ${stdout}`);
      await rollout('rollback', TOOL, '--reason', 'it is slow');

      await start(`${settings} --on-mismatch rollback`);
      await until('its begin', ({ share }) => share === 5);
      await until('its end', ({ status }) => status === 'rolled_back');
      const sent = await traffic.stop();
      ground.say(waits(sent));
      const audit = await auditUploads(ramp, sent);
      return { kills: 0, ...audit, problems: [...problems, ...audit.problems, ...(await rolledBackByItself(ramp, 5))] };
    }),
};

/** The old path tells names in another spelling than the new one, and is right otherwise. */
const differing: Case = {
  name: 'ramp, one field differs',
  env: { ...SWITCHES, ENABLE_SHADOW_MODE: 'true', SHADOW_MODE_SAMPLE_RATE: '1', SHADOW_MODE_INCLUDE_TIMING: 'false' },
  run: (ground) =>
    withRamp(ground, { legacy: { spelled: (name) => name.toUpperCase() } }, async (ramp) => {
      const { rollout, start, until, callers } = ramp;
      const problems: string[] = [];
      await start(`--bake 3s --min-samples 20 --threshold 20% ${STEPS}`);
      const traffic = callers(USERS, { gapMs: 100 });
      const reason = await heldByMismatches(ramp);
      if (!reason.includes('name')) problems.push(`the history does not say which field differs: ${reason}`);
      const sent = await traffic.stop();
      const status = await ground.must(['rollout', 'status', TOOL]);
      ground.say(status.stdout.trim().replaceAll('\n', ' |'));
      const { stdout } = await ground.must(['shadow', 'report', TOOL, '--json']);
      const { fields, comparisons } = JSON.parse(stdout) as { comparisons: number; fields: { field: string; differing: number }[] };
      if (fields.length !== 1 || fields[0]?.field !== 'name' || fields[0].differing !== comparisons)
        problems.push(`the report names other fields: ${JSON.stringify({ comparisons, fields })}`);
      const record = await until('its step', () => true);
      if (record.share !== 5) problems.push(`it went on to ${record.share} %`);
      await rollout('rollback', TOOL, '--reason', 'the end');
      const audit = await auditUploads(ramp, sent);
      return { kills: 0, ...audit, problems: [...problems, ...audit.problems] };
    }),
};

export const unwellRamps: readonly Case[] = [hanging, slow, differing];
