import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { CutoverClient } from '../client/cutover-client.ts';
import { countOf, formatDuration, printable } from '../domain/format.ts';
import { copiesWith, describeSweep, type SweepProgress, steered } from '../domain/retention.ts';
import type { RetentionLedger, SweepItem, SweepRun } from '../ledger/retention-ledger.ts';
import { sweepRunOf } from '../manager/sweep-run.ts';
import type { CommandContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { wholeNumber } from './options.ts';
import { ITEM_HEADER, itemRow, printTotals, RUN_HEADER, runRow } from './retention-output.ts';
import { userName } from './user-name.ts';

interface RunOptions {
  dryRun?: boolean;
  includeReview?: boolean;
  json?: boolean;
}
interface SteerOptions {
  reason?: string;
  json?: boolean;
}

const POLL_MS = 500;
/** After so long without a word a person is told what may be missing. */
const SILENCE_MS = 10_000;
const ITEMS = 1000;

/** `retention run|status|stop|pause|resume`. */
export function registerRetention(program: Command, context: CommandContext, exit: (code: number) => void): void {
  const { output } = context;
  const retention = program
    .command('retention')
    .description('what keeps storage clean: the sweep that runs every night, and now when asked to');

  retention
    .command('run')
    .description('sweep now, and follow it; one at a time')
    .option('--dry-run', 'list what a sweep would do now; changes nothing')
    .option('--include-review', 'also try purges again that failed so often that they wait for a person')
    .option('--json', 'print one JSON document; with --dry-run one for each copy and one with the totals')
    .action(async (options: RunOptions) => exit(await runSweep(context, options)));

  retention
    .command('status')
    .description('the next sweep, the last ones with their totals, and what waits for a person')
    .option('--limit <n>', 'how many of the last sweeps', wholeNumber(1, 1000), 10)
    .option('--json', 'print one JSON document')
    .action(async (options: { limit: number; json?: boolean }) => await showStatus(context, options));

  const steer = (name: 'pause' | 'resume' | 'stop', description: string) =>
    retention
      .command(name)
      .description(description)
      .option('--reason <text>', 'why, for those who look at it later')
      .option('--json', 'print one JSON document');
  const by = userName();
  steer('pause', 'start no more sweeps by itself until it is resumed, also after restarts; one that runs goes on').action(
    async ({ reason, json }: SteerOptions) => {
      await (await context.services().client()).pauseSweeps(steered('paused', by, reason));
      if (json === true) await output.json({ paused: true, reason: reason ?? null });
      else output.message('Paused. Go on with: npx cutover retention resume');
    },
  );
  steer('resume', 'sweep by itself again').action(async ({ reason, json }: SteerOptions) => {
    await (await context.services().client()).resumeSweeps(steered('resumed', by, reason));
    if (json === true) await output.json({ paused: false, reason: reason ?? null });
    else output.message('Resumed. Look at it with: npx cutover retention status');
  });
  steer('stop', 'end the sweep that runs now; what it has begun is done and recorded').action(async ({ reason, json }: SteerOptions) => {
    const stopped = await (await context.services().client()).stopSweeps({ by, ...(reason === undefined ? {} : { reason }) });
    if (json === true) await output.json({ asked: stopped, reason: reason ?? null });
    else
      output.message(
        stopped.length === 0 ? 'No sweep runs.' : `Asked to stop: ${stopped.join(', ')}. Look at it with: npx cutover retention status`,
      );
  });
}

/** @returns the exit code */
async function runSweep(context: CommandContext, { dryRun = false, includeReview = false, json }: RunOptions): Promise<number> {
  const { output } = context;
  const client = await context.services().client();
  const { workflowId, joined } = await client.startSweep({ dryRun, includeReview });
  const url = client.workflowUrl(workflowId);
  output.message(`${joined ? 'A sweep is under way' : dryRun ? 'Looking' : 'Started'}: ${url ?? workflowId}`);
  const ended = await follow(context, client, workflowId);
  if (ended === null) {
    output.message('Detached: the sweep goes on. Come back with: npx cutover retention status');
    return EXIT.interrupted;
  }
  const { retention } = await context.services().stores();
  const run = await sweepRunOf(retention, ended);
  if (run === null) {
    output.message('It was stopped before it had begun.');
    return EXIT.failed;
  }
  if (dryRun) await listItems(context, retention, run, json === true);
  if (json === true) await output.json({ ...run, url });
  else await printTotals(output, run);
  if (run.status === 'stopped') output.message(`It was stopped${run.reason === null ? '' : `: ${printable(run.reason)}`}.`);
  return run.status === 'completed' && copiesWith(run.totals, { outcome: 'failed' }) === 0 ? EXIT.ok : EXIT.failed;
}

/** Says where the sweep is until it ends. Null when Ctrl-C came first. */
async function follow(
  { output, signal, now }: CommandContext,
  client: Pick<CutoverClient, 'sweepProgress' | 'sweepResult'>,
  workflowId: string,
): Promise<SweepProgress | null> {
  const result = client.sweepResult(workflowId);
  result.catch(() => undefined);
  let phase = '';
  let heardAt = now();
  for (;;) {
    const ended = await Promise.race([result, sleep(POLL_MS, null, { signal }).catch(() => null)]);
    if (ended !== null) return ended;
    if (signal.aborted) return null;
    const progress = await Promise.race([client.sweepProgress(workflowId).catch(() => null), sleep(SILENCE_MS, null, { ref: false })]);
    if (progress !== null) heardAt = now();
    else if (now() - heardAt > SILENCE_MS) {
      heardAt = Number.POSITIVE_INFINITY;
      output.message('No answer for ten seconds. The sweep waits in Temporal: start a worker with `npx cutover worker`.');
    }
    if (progress === null || progress.phase === phase) continue;
    phase = progress.phase;
    output.message(
      describeSweep({ ...progress, counts: [], notes: [] })
        .split('\n')[0]
        ?.replaceAll('**', '') ?? '',
    );
  }
}

/** Page by page, so that a long list is printed as it comes. */
async function listItems({ output }: CommandContext, retention: RetentionLedger, { id }: SweepRun, json: boolean): Promise<void> {
  let header: readonly string[] | null = ITEM_HEADER;
  for (let after: number | null = null; ; ) {
    const page: SweepItem[] = await retention.sweepItems(id, { after, limit: ITEMS });
    if (json) for (const item of page) await output.json(item);
    else if (page.length > 0) {
      await output.table(header ?? [], page.map(itemRow));
      header = null;
    }
    after = page.at(-1)?.id ?? null;
    if (page.length < ITEMS) return;
  }
}

async function showStatus(context: CommandContext, { limit, json }: { limit: number; json?: boolean }): Promise<void> {
  const { output } = context;
  const client = await context.services().client();
  const { retention } = await context.services().stores();
  const [schedule, state, runs] = await Promise.all([client.sweepSchedule(), retention.retentionState(), retention.sweeps(limit)]);
  if (json === true) {
    const { now, inReview, waiting } = state;
    return await output.json({ schedule, now, inReview, waiting, runs });
  }
  if (schedule === null) await output.data('No schedule: a worker makes it when it starts (npx cutover worker).');
  else if (schedule.paused)
    await output.data(`Paused${schedule.note === null ? '' : ` (${printable(schedule.note)})`}: go on with npx cutover retention resume`);
  else if (schedule.next !== null)
    await output.data(
      `Next sweep: ${schedule.next.replace(/\.\d+/, '')}, in ${formatDuration(Math.max(0, Date.parse(schedule.next) - Date.parse(state.now)))}`,
    );
  for (const id of schedule?.running ?? []) await output.data(`Running now: ${id}`);
  await output.data(`Waiting for their grace or a sweep: ${countOf(state.waiting, 'copy', 'copies')}`);
  if (state.inReview > 0)
    await output.data(
      `In review: ${countOf(state.inReview, 'copy', 'copies')} could not be purged again and again. Try them with: npx cutover retention run --include-review`,
    );
  if (runs.length === 0) output.message('No sweep has run yet.');
  else await output.table(RUN_HEADER, runs.map(runRow));
  const last = runs.find(({ dryRun, endedAt }) => !dryRun && endedAt !== null);
  for (const note of last?.notes ?? []) output.warning(`the last sweep: ${printable(note)}`);
}
