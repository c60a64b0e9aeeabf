import { connectClient } from '../client/cutover-client.ts';
import type { Config } from '../config/index.ts';
import { messageOf } from '../domain/errors.ts';
import { countOf, formatDuration } from '../domain/format.ts';
import { sweepsMissed } from '../domain/retention.ts';
import { connectStores } from '../manager/stores.ts';
import { type Check, ok, warning } from '../stack/check.ts';

const STATUS = 'Look at `npx cutover retention status`.';

/** Whether storage is kept clean: the schedule, the last sweep that came to its end, and what waits for a person. */
export async function checkRetention(config: Config): Promise<Check[]> {
  if (config.temporal.address === null || config.supabase.url === null || config.supabase.secretKey === null) return [];
  const client = await connectClient(config).catch(() => null);
  // That Temporal is away is told by the check of Temporal.
  if (client === null) return [];
  try {
    const [schedule, state] = await Promise.all([client.sweepSchedule(), connectStores(config).retention.retentionState()]);
    const checks: Check[] = [];
    const { lastSuccess } = state;
    const missed =
      lastSuccess === null ? 0 : sweepsMissed(Date.parse(lastSuccess.startedAt), Date.parse(state.now), config.retention.intervalMs);
    const ago =
      lastSuccess === null
        ? 'none has come to its end yet'
        : `the last one that came to its end began ${formatDuration(Date.parse(state.now) - Date.parse(lastSuccess.startedAt))} ago`;
    if (schedule === null)
      checks.push(warning('Retention', `no schedule; ${ago}`, 'A worker makes it when it starts: `npx cutover worker`.'));
    else if (schedule.paused)
      checks.push(
        warning(
          'Retention',
          `paused${schedule.note === null ? '' : ` (${schedule.note})`}; ${ago}`,
          'Go on with `npx cutover retention resume`.',
        ),
      );
    else if (missed > 0) checks.push(warning('Retention', `${countOf(missed, 'sweep')} missed; ${ago}`, STATUS));
    else checks.push(ok('Retention', ago));
    if (state.inReview > 0)
      checks.push(
        warning(
          'Purges in review',
          `${countOf(state.inReview, 'copy', 'copies')} could not be purged again and again`,
          'Mend what the provider says, then `npx cutover retention run --include-review`.',
        ),
      );
    return checks;
  } catch (error) {
    return [warning('Retention', messageOf(error), STATUS)];
  } finally {
    await client.close();
  }
}
