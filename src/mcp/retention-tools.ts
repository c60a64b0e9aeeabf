import { z } from 'zod';
import { follow } from '../client/follow.ts';
import { countOf, printable } from '../domain/format.ts';
import { describeCounts, describeSweep, type SweepProgress, steered } from '../domain/retention.ts';
import type { RetentionLedger, SweepItem as SweepItemFacts } from '../ledger/retention-ledger.ts';
import { sweepRunOf } from '../manager/sweep-run.ts';
import { moreLine, pageOf } from './page.ts';
import { cursor, next, reason, SweepItem, SweepRun } from './shapes.ts';
import { type Tool, tool } from './tool.ts';
import { tellingProgress, waitSeconds } from './waiting.ts';

const PAGE = 1000;

/** What a sweep did, in the order in which it was done, page by page. */
async function* itemsOf(
  retention: Pick<RetentionLedger, 'sweepItems'>,
  runId: string,
  from: number | null,
): AsyncGenerator<SweepItemFacts> {
  for (let after = from; ; ) {
    const page: SweepItemFacts[] = await retention.sweepItems(runId, { after, limit: PAGE });
    yield* page;
    after = page.at(-1)?.id ?? null;
    if (page.length < PAGE) return;
  }
}

/** The first line of what people see in Temporal's UI. */
const phaseLine = (progress: SweepProgress): string =>
  (describeSweep({ ...progress, counts: [], notes: [] }).split('\n')[0] ?? '').replaceAll('**', '');

const steer = (name: 'pause' | 'resume', description: string): Tool =>
  tool({
    name: `${name}_retention`,
    command: `retention ${name}`,
    title: name === 'pause' ? 'Pause retention' : 'Resume retention',
    description,
    kind: 'sets',
    input: z.strictObject({ reason }),
    output: z.object({ paused: z.boolean(), reason: z.string().nullable() }),
    async run({ reason: why }, _, { world, by }) {
      const client = await world.services().client();
      if (name === 'pause') await client.pauseSweeps(steered('paused', by, why));
      else await client.resumeSweeps(steered('resumed', by, why));
      return { data: { paused: name === 'pause', reason: why ?? null }, text: name === 'pause' ? 'Paused.' : 'Resumed.' };
    },
  });

export const RETENTION_TOOLS: readonly Tool[] = [
  tool({
    name: 'get_retention_status',
    command: 'retention status',
    title: 'Status of retention',
    description: 'The next sweep, the last ones with their totals, what waits for its grace, and what waits for a person.',
    kind: 'reads',
    input: z.strictObject({ limit: z.int().min(1).max(1000).default(10).describe('how many of the last sweeps') }),
    output: z.object({
      schedule: z
        .object({
          paused: z.boolean(),
          note: z.string().nullable(),
          next: z.string().nullable(),
          running: z.array(z.string()),
          missed: z.int(),
        })
        .nullable()
        .describe('null: no worker has made it yet'),
      waiting: z.int().describe('copies that are marked as deleted and not purged yet'),
      inReview: z.int().describe('copies that could not be purged again and again'),
      runs: z.array(SweepRun),
    }),
    async run({ limit }, _, { world }) {
      const { retention } = await world.services().stores();
      const client = await world.services().client();
      const [schedule, { waiting, inReview }, all] = await Promise.all([
        client.sweepSchedule(),
        retention.retentionState(),
        retention.sweeps(limit),
      ]);
      const { items: runs } = await pageOf(all, { keyOf: ({ id }) => id, maxTokens: world.config().mcp.maxOutputTokens });
      const when =
        schedule === null
          ? 'No schedule: a worker makes it when it starts.'
          : schedule.paused
            ? 'Paused.'
            : `Next sweep: ${schedule.next ?? 'not known'}.`;
      return {
        data: { schedule, waiting, inReview, runs },
        text: [
          when,
          `${countOf(waiting, 'copy', 'copies')} waiting; ${countOf(inReview, 'copy', 'copies')} in review.`,
          ...runs.map(
            ({ startedAt, status, dryRun, totals }) =>
              `${startedAt}  ${status}${dryRun ? ' (dry run)' : ''}  ${describeCounts(totals).join('; ')}`,
          ),
        ],
      };
    },
  }),

  tool({
    name: 'run_retention',
    command: 'retention run',
    title: 'Sweep now',
    description:
      'Marks expired and orphaned files as deleted and purges what is past its grace, in a durable workflow, one at a time; with `dry_run` it changes nothing and lists what a sweep would do now.',
    kind: 'destroys',
    openWorld: true,
    input: z.strictObject({
      dry_run: z.boolean().describe('true: list what would be done, change nothing; false: do it'),
      include_review: z.boolean().default(false).describe('also try purges again that failed so often that they wait for a person'),
      wait_seconds: waitSeconds,
    }),
    output: z.object({
      status: z.enum(['done', 'running']),
      joined: z.boolean().describe('whether a sweep was under way already'),
      workflowId: z.string(),
      url: z.string().nullable(),
      run: SweepRun.nullable().describe('null: it goes on, or was stopped before it had begun'),
      items: z.array(SweepItem).describe('of a dry run: what would be done'),
      next: next.describe('hand this in to list_sweep_items as `cursor` for more items; null: nothing follows'),
      comeBack: z.string().nullable(),
    }),
    async run({ dry_run: dryRun, include_review: includeReview, wait_seconds }, call, { world, now }) {
      const client = await world.services().client();
      const { workflowId, joined } = await client.startSweep({ dryRun, includeReview });
      const url = client.workflowUrl(workflowId);
      const again = 'see it with get_retention_status, and what it did with list_sweep_items';
      call.started(`The sweep runs as ${workflowId}: ${again}`);
      const ended = await follow(
        { what: 'sweep', result: () => client.sweepResult(workflowId), status: () => client.sweepProgress(workflowId) },
        {
          ...{ progress: tellingProgress(call, phaseLine), now, message: call.progress },
          signal: AbortSignal.any([call.signal, AbortSignal.timeout(wait_seconds * 1000)]),
        },
      );
      const started = { joined, workflowId, url };
      if (ended === null)
        return {
          data: { status: 'running' as const, ...started, run: null, items: [], next: null, comeBack: again },
          text: `The sweep goes on as ${workflowId}: ${again}.`,
        };
      const { retention } = await world.services().stores();
      const run = await sweepRunOf(retention, ended);
      const maxTokens = world.config().mcp.maxOutputTokens / 2;
      const listed = run === null || !dryRun ? [] : itemsOf(retention, run.id, null);
      const { items, next: following } = await pageOf(listed, { keyOf: ({ id }) => String(id), maxTokens });
      const totals = run === null ? ['It was stopped before it had begun.'] : describeCounts(run.totals);
      return {
        data: { status: 'done' as const, ...started, run, items, next: following, comeBack: null },
        text: [
          ...(totals.length === 0 ? [dryRun ? 'Nothing would be deleted.' : 'Nothing was due.'] : totals),
          ...(run?.notes ?? []).map(printable),
          ...items.map(itemLine),
          ...(following === null || run === null
            ? []
            : [`There is more: go on by list_sweep_items with run_id ${run.id} and cursor "${following}"`]),
        ],
      };
    },
  }),

  tool({
    name: 'list_sweep_items',
    command: null,
    title: 'What a sweep did',
    description: 'What a sweep did to each copy, or would have done in a dry run.',
    kind: 'reads',
    input: z.strictObject({
      run_id: z.uuid().describe('of the sweep, as get_retention_status tells it'),
      cursor: cursor.pipe(
        z
          .string()
          .regex(/^\d{1,15}$/, 'must be the `next` of the answer before')
          .optional(),
      ),
    }),
    output: z.object({ items: z.array(SweepItem), next }),
    async run({ run_id: runId, cursor: from }, _, { world }) {
      const { retention } = await world.services().stores();
      const items = itemsOf(retention, runId, from === undefined ? null : Number(from));
      const page = await pageOf(items, { keyOf: ({ id }) => String(id), maxTokens: world.config().mcp.maxOutputTokens });
      return {
        data: { items: page.items, next: page.next },
        text: page.items.length === 0 ? 'There are no more.' : [...page.items.map(itemLine), ...moreLine(page.next)],
      };
    },
  }),

  tool({
    name: 'stop_retention',
    command: 'retention stop',
    title: 'Stop a sweep',
    description: 'Ends the sweep that runs now; what it has begun is done and recorded.',
    kind: 'sets',
    input: z.strictObject({ reason }),
    output: z.object({ asked: z.array(z.string()).describe('the sweeps that were asked to stop') }),
    async run({ reason: why }, _, { world, by }) {
      const asked = await (await world.services().client()).stopSweeps({ by, ...(why === undefined ? {} : { reason: why }) });
      return { data: { asked }, text: asked.length === 0 ? 'No sweep runs.' : `Asked to stop: ${asked.join(', ')}` };
    },
  }),

  steer('pause', 'Starts no more sweeps by itself until it is resumed, also after restarts; one that runs goes on.'),
  steer('resume', 'Sweeps by itself again.'),
];

const itemLine = ({ action, reason: why, outcome, provider, fileId, name }: SweepItemFacts): string =>
  `${outcome === 'skipped' ? 'skip' : action}  ${why}  ${provider}  ${fileId}  ${printable(name ?? '–')}`;
