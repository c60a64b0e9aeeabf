import { z } from 'zod';
import { rolloutWorkflowId } from '../../workflows/contract.ts';
import { ValidationError } from '../domain/errors.ts';
import { formatDuration } from '../domain/format.ts';
import { eventRow, progressLines, rolloutLine, statusLine } from '../manager/rollout-text.ts';
import { noRollout, rollBack, rolloutEvents, rolloutStatuses, startRollout } from '../manager/rollouts.ts';
import { behind, moreLine, pageOf } from './page.ts';
import { cursor, next, RolloutEvent, RolloutRecord, reason, toolNamed } from './shapes.ts';
import { type Tool, type ToolContext, tool } from './tool.ts';

const MINUTE_MS = 60_000;
const rate = z.number().gt(0).lt(1);
const share = z.number().gt(0).max(100);

const Opinion = z.object({
  test: z.string(),
  says: z.string(),
  why: z.string(),
  value: z.number().nullable(),
  limit: z.number().nullable(),
});
const Progress = z.object({
  pauses: z.array(z.string()).describe('why it is paused; empty: it is not'),
  verdict: z.string().nullable(),
  opinions: z.array(Opinion),
  looks: z.int().describe('evaluations so far'),
  nextEvaluationAt: z.string().nullable(),
  trouble: z.string().nullable().describe('why the evidence could not be read at the last look'),
});

const dependencies = async ({ world }: ToolContext) => ({
  rollouts: (await world.services().stores()).rollouts,
  workflows: () => world.services().client(),
  migration: world.config().migration,
});

const signalled = z.object({ tool: z.string(), signal: z.string(), reason: z.string().nullable() });
const signal = (name: 'pause' | 'resume' | 'promote', kind: 'sets' | 'begins', description: string): Tool =>
  tool({
    name: `${name}_rollout`,
    command: `rollout ${name}`,
    title: { pause: 'Pause a rollout', resume: 'Resume a rollout', promote: 'Promote a rollout' }[name],
    description,
    kind,
    input: z.strictObject({ tool: toolNamed, reason }),
    output: signalled,
    async run({ tool: of, reason: why }, _, { world, by }) {
      const client = await world.services().client();
      const request = { by, ...(why === undefined ? {} : { reason: why }) };
      await { pause: client.pauseRollout, resume: client.resumeRollout, promote: client.promoteRollout }[name](of, request);
      return {
        data: { tool: of, signal: name, reason: why ?? null },
        text: `The rollout of ${of} was asked to ${name}. See what became of it with: npx cutover rollout status`,
      };
    },
  });

export const ROLLOUT_TOOLS: readonly Tool[] = [
  tool({
    name: 'get_rollout_status',
    command: 'rollout status',
    title: 'Status of rollouts',
    description: 'What is in force for each tool of the application, and what the judge of a running rollout says.',
    kind: 'reads',
    input: z.strictObject({ tool: toolNamed.optional().describe('one tool; default: all of which something was decided'), cursor }),
    output: z.object({ rollouts: z.array(RolloutRecord.extend({ progress: Progress.nullable().describe('null: none runs') })), next }),
    async run({ tool: of, cursor: from }, _, context) {
      const keyOf = (one: { tool: string }) => one.tool;
      const statuses = await rolloutStatuses(of, await dependencies(context));
      const shown = statuses.map(({ progress, ...record }) => ({
        ...record,
        progress:
          progress === null
            ? null
            : {
                pauses: [...progress.state.pauses],
                verdict: progress.state.judgement?.verdict ?? null,
                opinions: progress.state.judgement?.opinions ?? [],
                looks: progress.looks,
                nextEvaluationAt: progress.nextEvaluationMs === null ? null : new Date(progress.nextEvaluationMs).toISOString(),
                trouble: progress.trouble,
              },
      }));
      const { items, next: following } = await pageOf(behind(shown, keyOf, from), {
        keyOf,
        maxTokens: context.world.config().mcp.maxOutputTokens,
      });
      const lines = items.flatMap(({ tool: name }) => {
        const status = statuses.find((one) => one.tool === name);
        if (status === undefined) return [];
        return [`${name}  ${statusLine(status)}`, ...(status.progress === null ? [] : progressLines(status.progress, context.now()))];
      });
      const none = `No rollout was started${of === undefined ? '' : ` for ${of}`}: the shares of the configuration are in force.`;
      return { data: { rollouts: items, next: following }, text: lines.length === 0 ? none : [...lines, ...moreLine(following)] };
    },
  }),

  tool({
    name: 'get_rollout_history',
    command: 'rollout history',
    title: 'History of a rollout',
    description: 'Every decision about a tool, the oldest first, with who took it and why.',
    kind: 'reads',
    input: z.strictObject({ tool: toolNamed, limit: z.int().min(1).max(10_000).optional().describe('how many at most'), cursor }),
    output: z.object({ events: z.array(RolloutEvent), next }),
    async run({ tool: of, limit, cursor: from }, _, context) {
      const { rollouts } = await dependencies(context);
      if (from !== undefined && !/^\d{1,15}$/.test(from))
        throw new ValidationError('`cursor` must be the `next` of an answer of get_rollout_history', { code: 'cursor_invalid' });
      const events = rolloutEvents(rollouts, of, from === undefined ? null : Number(from));
      const page = await pageOf(events, { keyOf: ({ id }) => String(id), limit, maxTokens: context.world.config().mcp.maxOutputTokens });
      if (page.items.length === 0 && from === undefined) throw noRollout(of);
      return {
        data: { events: page.items, next: page.next },
        text: [...page.items.map((event) => eventRow(event).join('  ')), ...moreLine(page.next)],
      };
    },
  }),

  tool({
    name: 'start_rollout',
    command: 'rollout start',
    title: 'Start a rollout',
    description:
      'Moves the users of a tool over to unified step by step; it is taken back by itself when the evidence says so. One for a tool at a time. What is not said comes from the configuration (ROLLOUT_…).',
    kind: 'begins',
    input: z.strictObject({
      tool: toolNamed,
      steps: z.array(share).min(1).max(50).optional().describe('shares in per cent, each above the one before, such as [1, 10, 50]'),
      bake_minutes: z.number().positive().optional().describe('how long a step lasts at least'),
      evaluation_seconds: z.number().positive().optional().describe('how often a step is judged'),
      gate: z.array(share).optional().describe('shares that begin only after a promote'),
      threshold: rate.optional().describe('share of failures of the candidate above which it is rolled back'),
      alpha: rate.optional().describe('false rollbacks that are accepted over the whole rollout'),
      min_samples: z.int().min(1).optional().describe('candidate operations before the threshold counts and a step passes'),
      on_mismatch: z.enum(['hold', 'rollback']).optional().describe('what shadow comparisons that differ do'),
      mismatch_tolerance: rate.optional().describe('share of comparisons that may differ'),
      wald: z.boolean().default(true).describe("Wald's test of the candidate's own rate"),
      live_control: z.boolean().default(true).describe('the comparison with the live control'),
      pairs: z.boolean().default(true).describe('the test over shadow comparisons'),
      from_failed_step: z.boolean().default(false).describe('begin at the step at which the last rollout was rolled back'),
      reason,
    }),
    output: z.object({
      tool: z.string(),
      steps: z.array(z.number()),
      gates: z.array(z.int()).describe('steps, from 0, that wait for a promote'),
      bakeMs: z.number(),
      evaluationMs: z.number(),
      workflowId: z.string(),
      url: z.string().nullable(),
    }),
    async run(input, _, context) {
      const { threshold, alpha, min_samples: minSamples, on_mismatch: onMismatch, mismatch_tolerance: mismatchTolerance } = input;
      const plan = await startRollout(
        {
          tool: input.tool,
          ...(input.steps === undefined ? {} : { steps: input.steps }),
          ...(input.bake_minutes === undefined ? {} : { bakeMs: input.bake_minutes * MINUTE_MS }),
          ...(input.evaluation_seconds === undefined ? {} : { evaluationMs: input.evaluation_seconds * 1000 }),
          ...(input.gate === undefined ? {} : { gates: input.gate }),
          rules: {
            ...(threshold === undefined ? {} : { threshold }),
            ...(alpha === undefined ? {} : { alpha }),
            ...(minSamples === undefined ? {} : { minSamples }),
            ...(mismatchTolerance === undefined ? {} : { mismatchTolerance }),
            ...(onMismatch === undefined ? {} : { onMismatch: onMismatch === 'rollback' ? 'roll_back' : onMismatch }),
          },
          tests: { wald: input.wald, liveControl: input.live_control, pairs: input.pairs },
          by: context.by,
          reason: input.reason ?? null,
          fromFailedStep: input.from_failed_step,
        },
        await dependencies(context),
      );
      const workflowId = rolloutWorkflowId(input.tool);
      const url = (await context.world.services().client()).workflowUrl(workflowId);
      const { tool: of, steps, gates, bakeMs, evaluationMs } = plan;
      return {
        data: { tool: of, steps: [...steps], gates: [...gates], bakeMs, evaluationMs, workflowId, url },
        text: `Started: ${of}: ${steps.join(' → ')} %, each step at least ${formatDuration(bakeMs)}. Look at it with: npx cutover rollout status`,
      };
    },
  }),

  signal('pause', 'sets', 'Stays at the share that is in force; a bad candidate is still rolled back.'),
  signal('resume', 'sets', 'Goes on: lifts the pause of this reason, or all of them.'),
  signal(
    'promote',
    'begins',
    'Ends the step that is under way and satisfies its gate, or completes the rollout after its last step; never jumps further.',
  ),

  tool({
    name: 'rollback_rollout',
    command: 'rollout rollback',
    title: 'Roll back',
    description: 'Lets legacy answer everything for a tool, whatever state its rollout is in. Files that users were given stay readable.',
    kind: 'destroys',
    input: z.strictObject({ tool: toolNamed, reason }),
    output: z.object({ nothing: z.string().nullable().describe('why nothing had to be done'), rollout: RolloutRecord.nullable() }),
    async run({ tool: of, reason: why }, call, context) {
      call.started(`The rollback of ${of} is under way: see it with get_rollout_status`);
      const request = { by: context.by, ...(why === undefined ? {} : { reason: why }) };
      const { nothing, record } = await rollBack(of, request, await dependencies(context));
      return {
        data: { nothing, rollout: record },
        text: [...(nothing === null ? [] : [nothing]), `${of}: ${record === null ? 'nothing was in force' : rolloutLine(record)}`],
      };
    },
  }),
];
