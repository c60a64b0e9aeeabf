import { setTimeout as delay } from 'node:timers/promises';
import type { RolloutRecord } from '../../../../src/ledger/rollout-ledger.ts';
import type { Case, Findings } from '../case.ts';
import { readSql } from '../stored.ts';
import { auditUploads } from './audit.ts';
import { type Ramp, SWITCHES, TOOL, withRamp } from './ramp.ts';
import { longestWait, type Sent, type Traffic, usersBetween, waits } from './traffic.ts';

/** As many who are covered by the first step as by the second alone, and twice as many whom none covers. */
const USERS = [...usersBetween(TOOL, 0, 5, 6), ...usersBetween(TOOL, 5, 20, 6), ...usersBetween(TOOL, 20, 100, 12)];
const AWAY_MS = 60_000;
/** Until everything that ended is up again and is found. */
const BACK_MS = 60_000;

/**
 * So that the judge, too, lets the outage pass: while the candidate cannot work its users are answered by legacy, and that counts
 * against it.
 */
const TOLERANT = '--threshold 99% --min-samples 20 --evaluate 1s';

/** Takes something away for a minute, in the middle of a step and of the traffic: first it hangs, then it is killed. */
function outage(name: string, victims: readonly string[], boundMs: number): Case {
  return {
    name,
    withinMs: 360_000,
    env: { ...SWITCHES, TOOL_TIMEOUT_SECONDS: '2' },
    run: (ground) =>
      withRamp(ground, { legacy: {} }, async (ramp): Promise<Findings> => {
        const { rollout, start, until, callers } = ramp;
        const traffic = callers(USERS, { callers: 6, gapMs: 200 });
        await start(`--steps 5,20 --bake 75s ${TOLERANT}`);
        await until('its begin', ({ share }) => share === 5);
        await accepted(ramp);
        const before = traffic.sent.length;
        await ground.freeze(victims);
        await delay(AWAY_MS, null, { signal: ground.signal });
        const kills = await ground.kill(victims);
        const during = traffic.sent.slice(before);
        ground.say(`while it was away: ${waits(during)}`);
        await until(
          'an answer of the ledger',
          onwards(() => true),
          BACK_MS,
        );
        const after = traffic.sent.length;
        await until(
          'the next step',
          onwards(({ share }) => share === 20),
        );
        await until(
          'the end of the last step',
          onwards(({ status }) => status === 'guarding'),
        );
        await rollout('promote', TOOL);
        await until('its completion', ({ status }) => status === 'completed');
        const sent = await traffic.stop();
        ground.say(`afterwards: ${waits(traffic.sent.slice(after))}`);
        const audit = await auditUploads(ramp, sent);
        if (longestWait(sent) > boundMs) audit.problems.push(`a caller waited ${longestWait(sent)} ms`);
        if (during.length < 100) audit.problems.push(`only ${during.length} callers had an answer while it was away`);
        audit.problems.push(...(await lostOutcomes(ramp, traffic)));
        return { kills, ...audit };
      }),
  };
}

/** A ramp that was taken back does not go on any more. */
const onwards =
  (wanted: (record: RolloutRecord) => boolean) =>
  (record: RolloutRecord): boolean => {
    if (record.status === 'rolled_back') throw new Error(`it was rolled back: ${record.reason}`);
    return wanted(record);
  };

/** Wald's test has come to its end in this step, and rests. */
async function accepted({ ground, rollout }: Ramp): Promise<void> {
  for (let said = ''; !/wald +rest/.test(said); said = (await rollout('status', TOOL)).stdout)
    await delay(1_000, null, { signal: ground.signal });
}

/** What the ledger has counted in the end, and what callers had. */
async function lostOutcomes({ ground }: Ramp, { sent }: Traffic): Promise<string[]> {
  const by = (wanted: (answer: NonNullable<Sent['answer']>) => boolean) =>
    sent.filter(({ answer }) => answer !== null && wanted(answer)).length;
  const expected = {
    legacy: by(({ servedBy }) => servedBy === 'legacy'),
    unified: by(({ servedBy, fallback }) => servedBy === 'unified' || fallback),
    failed: by(({ fallback }) => fallback),
  };
  // They are written every two seconds.
  await delay(5_000, null, { signal: ground.signal });
  const [counted] = await readSql(
    ground,
    (sql) => sql`
      select coalesce(sum(count) filter (where arm = 'legacy'), 0)::int as legacy,
        coalesce(sum(count) filter (where arm = 'unified'), 0)::int as unified,
        coalesce(sum((select sum(value::int) from jsonb_each_text(failures))) filter (where arm = 'unified'), 0)::int as failed
      from public.operation_outcomes where tool = ${TOOL}`,
  );
  ground.say(`counted ${JSON.stringify(counted)}, of ${sent.length} uploads`);
  const same = Object.entries(expected).every(([what, count]) => counted?.[what] === count);
  return same ? [] : [`counted ${JSON.stringify(counted)} instead of ${JSON.stringify(expected)}`];
}

/** Uploads that Temporal does not take are given up after five seconds; then callers are spared that. */
export const outages: readonly Case[] = [
  outage('ramp, the ledger is away for a minute', ['supabase', 'postgres'], 12_000),
  outage('ramp, Temporal is away for a minute', ['temporal'], 12_000),
];
