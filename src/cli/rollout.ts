import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { rolloutWorkflowId } from '../../workflows/contract.ts';
import { formatDuration } from '../domain/format.ts';
import { rejudge } from '../domain/rejudge.ts';
import type { RolloutPlan } from '../domain/rollout.ts';
import type { RolloutEvent, RolloutLedger } from '../ledger/rollout-ledger.ts';
import { eventRow, historyRows, opinionLine, progressLines, rolloutLine, statusLine } from '../manager/rollout-text.ts';
import { noRollout, rollBack, rolloutEvents, rolloutStatuses, startRollout } from '../manager/rollouts.ts';
import type { CommandContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { registerFiles } from './rollout-files.ts';
import { collectShares, duration, type RuleOptions, ruleOptions, rulesOf, shares } from './rollout-options.ts';
import { registerRehome, runRehome } from './rollout-rehome.ts';
import { registerStage } from './rollout-stage.ts';
import { userName } from './user-name.ts';

interface StartOptions extends RuleOptions {
  steps?: readonly number[];
  bake?: number;
  evaluate?: number;
  gate?: readonly number[];
  wald: boolean;
  liveControl: boolean;
  pairs?: boolean;
  fromFailedStep?: boolean;
  reason?: string;
  json?: boolean;
}
interface SignalOptions {
  reason?: string;
  json?: boolean;
}
const WATCH_MS = 1000;
const EVENTS = 10_000;

/** `rollout start|status|watch|pause|resume|promote|rollback|history|rejudge|stage|files|rehome`. */
export function registerRollout(program: Command, context: CommandContext, exit: (code: number) => void): void {
  const { output } = context;
  const rollout = program
    .command('rollout')
    .description('move the users of a tool over step by step; taken back by itself when the evidence says so');
  const about = (name: string, description: string) =>
    rollout
      .command(name)
      .description(description)
      .argument('<tool>', 'kimi, smart_handler, supabase, or one of CUTOVER_TOOLS')
      .option('--json', 'print one JSON document');
  const why = ['--reason <text>', 'why, for the audit'] as const;
  const ledger = async () => (await context.services().stores()).rollouts;
  const workflows = () => context.services().client();

  const start = about('start', 'begin a rollout; one for a tool at a time')
    .option('--steps <shares>', 'shares in per cent, such as 1,10,50', shares)
    .option('--bake <time>', 'how long a step lasts at least: 90s, 15m, 1h', duration)
    .option('--evaluate <time>', 'how often a step is judged', duration)
    .option('--gate <share>', 'a person has to promote it before this share begins; may be given more than once', collectShares)
    .option('--no-wald', "without Wald's test of the candidate's own rate")
    .option('--no-live-control', 'without the comparison with the live control')
    .option('--no-pairs', 'without the test over shadow comparisons')
    .option('--from-failed-step', 'begin at the step at which the last rollout was rolled back')
    .option(...why);
  for (const option of ruleOptions()) start.addOption(option);
  start.action(async (tool: string, options: StartOptions) => {
    const plan = await startRollout(
      {
        tool,
        ...(options.steps === undefined ? {} : { steps: options.steps }),
        ...(options.bake === undefined ? {} : { bakeMs: options.bake }),
        ...(options.evaluate === undefined ? {} : { evaluationMs: options.evaluate }),
        ...(options.gate === undefined ? {} : { gates: options.gate }),
        rules: rulesOf(options),
        tests: { wald: options.wald, liveControl: options.liveControl, pairs: options.pairs ?? true },
        by: userName(),
        reason: options.reason ?? null,
        fromFailedStep: options.fromFailedStep ?? false,
      },
      { rollouts: await ledger(), workflows, migration: context.config().migration },
    );
    const url = (await workflows()).workflowUrl(rolloutWorkflowId(tool));
    if (options.json === true) await output.json({ plan, workflowId: rolloutWorkflowId(tool), url });
    else await output.data(`${tool}: ${plan.steps.join(' → ')} %, each step at least ${formatDuration(plan.bakeMs)}`);
    output.message(`Started${url === null ? '' : `: ${url}`}\nFollow it with: npx cutover rollout watch ${tool}`);
  });

  rollout
    .command('status')
    .description('what is in force, and what the judge says')
    .argument('[tool]', 'one tool; default: all of which something was decided')
    .option('--json', 'print a JSON document for each tool')
    .action(async (tool: string | undefined, { json }: { json?: boolean }) => {
      const statuses = await rolloutStatuses(tool, { rollouts: await ledger(), workflows });
      if (statuses.length === 0)
        output.message(`No rollout was started${tool === undefined ? '' : ` for ${tool}`}: the shares of the configuration are in force.`);
      for (const status of statuses) {
        if (json === true) await output.json(status);
        else {
          const { tool: name, progress } = status;
          await output.data(`${output.style('bold', name, output.stdout)}  ${statusLine(status)}`);
          if (progress !== null) for (const line of progressLines(progress, context.now())) await output.data(line);
        }
      }
    });

  about('watch', 'follow a rollout until it ends; Ctrl-C leaves it alone').action(async (tool: string, { json }: { json?: boolean }) => {
    const rollouts = await ledger();
    let after: number | null = null;
    for (;;) {
      for (const event of await rollouts.events(tool, { after, limit: EVENTS })) {
        after = event.id;
        if (json === true) await output.json(event);
        else await output.data(eventRow(event).join('  '));
      }
      const record = await rollouts.rollout(tool);
      if (record === null) throw noRollout(tool);
      if (record.status === 'completed' || record.status === 'rolled_back')
        return exit(record.status === 'completed' ? EXIT.ok : EXIT.failed);
      await sleep(WATCH_MS, undefined, { signal: context.signal }).catch(() => undefined);
      if (context.signal.aborted) {
        output.message(`Detached: the rollout goes on. Come back with: npx cutover rollout watch ${tool}`);
        return exit(EXIT.interrupted);
      }
    }
  });

  const signal = (name: 'pause' | 'resume' | 'promote', description: string, sent: string) =>
    about(name, description)
      .option(...why)
      .action(async (tool: string, { reason, json }: SignalOptions) => {
        const client = await context.services().client();
        const request = { by: userName(), ...(reason === undefined ? {} : { reason }) };
        if (name === 'pause') await client.pauseRollout(tool, request);
        else if (name === 'resume') await client.resumeRollout(tool, request);
        else await client.promoteRollout(tool, request);
        if (json === true) await output.json({ tool, signal: name, reason: reason ?? null });
        else output.message(`${sent} Look at it with: npx cutover rollout status ${tool}`);
      });
  signal('pause', 'stay at the share that is in force; a bad candidate is still rolled back', 'Asked to pause.');
  signal('resume', 'go on: lifts the pause of this reason, or all of them', 'Asked to go on.');
  signal('promote', 'end the step that is under way, or the whole rollout after its last one', 'Asked to promote.');
  about('rollback', 'let legacy answer everything, whatever state the rollout is in')
    .option(...why)
    .option('--rehome', 'then copy the files that only unified holds into legacy storage')
    .action(async (tool: string, { reason, json, rehome }: SignalOptions & { rehome?: boolean }) => {
      const then = async () => (rehome === true ? exit(await runRehome(context, tool, json === undefined ? {} : { json })) : undefined);
      const why = { by: userName(), ...(reason === undefined ? {} : { reason }) };
      const { nothing, record } = await rollBack(tool, why, { rollouts: await ledger(), workflows });
      if (nothing !== null) output.message(nothing);
      if (json !== true) await output.data(`${tool}: ${record === null ? 'nothing was in force' : rolloutLine(record)}`);
      else if (rehome !== true) await output.json(record);
      await then();
    });
  registerStage(rollout, context);
  registerFiles(rollout, context);
  registerRehome(rollout, context, exit);

  about('history', 'every decision about a tool, with who and why').action(async (tool: string, { json }: { json?: boolean }) => {
    const events: RolloutEvent[] = [];
    for await (const event of rolloutEvents(await ledger(), tool)) {
      if (json === true) await output.json(event);
      else events.push(event);
    }
    if (json !== true) await output.table(['AT', 'DECISION', 'BY', 'SHARE', 'STEP', 'REASON'], historyRows(events));
  });

  const again = about('rejudge', 'what would have become of the last rollout under other rules, from the recorded evidence').option(
    '--bake <time>',
    'another bake time',
    duration,
  );
  for (const option of ruleOptions()) again.addOption(option);
  again.action(async (tool: string, options: RuleOptions & { bake?: number; json?: boolean }) => {
    const rollouts = await ledger();
    const record = await rollouts.rollout(tool);
    const plan = record?.settings as unknown as RolloutPlan | undefined;
    if (record === null || plan?.rules === undefined) throw noRollout(tool);
    const rules = { ...plan.rules, ...rulesOf(options) };
    for (const { epoch, share } of await stepsOf(rollouts, tool)) {
      const { at, judgement } = rejudge(await rollouts.stepMinutes(tool, epoch), share, rules, options.bake ?? plan.bakeMs);
      if (options.json === true) await output.json({ tool, share, at, ...judgement });
      else {
        await output.data(`${share} %: ${judgement.verdict.replace('_', ' ')}${at === null ? ' to the end' : ` at ${at}`}`);
        for (const opinion of judgement.opinions) await output.data(`  ${opinionLine(opinion)}`);
      }
    }
  });
}

/** The steps of the newest rollout, by the decisions that began them. */
async function stepsOf(rollouts: RolloutLedger, tool: string): Promise<{ epoch: number; share: number }[]> {
  let steps: { epoch: number; share: number }[] = [];
  for await (const { decision, shareAfter, evidence } of rolloutEvents(rollouts, tool)) {
    if (decision === 'started') steps = [];
    if (decision === 'started' || decision === 'went_on') steps.push({ epoch: Number(evidence.epoch) + 1, share: shareAfter ?? 0 });
  }
  return steps;
}
