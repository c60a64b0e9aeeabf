import { type Command, Option } from 'commander';
import { ValidationError } from '../domain/errors.ts';
import { formatDuration } from '../domain/format.ts';
import { STAGES, type Stage } from '../domain/routing.ts';
import { words } from '../domain/stages.ts';
import { moveStage, readStage, type StageReport, stageDependencies, stageRules } from '../manager/stages.ts';
import type { CommandContext } from './context.ts';
import { UsageError } from './errors.ts';
import { duration, rate } from './rollout-options.ts';
import { userName } from './user-name.ts';

interface StageOptions {
  quietFor: number;
  mismatchTolerance: number;
  force?: boolean;
  reason?: string;
  json?: boolean;
}

const DAY_MS = 86_400_000;

/** `rollout stage`. */
export function registerStage(rollout: Command, context: CommandContext): void {
  const { output } = context;
  rollout
    .command('stage')
    .description('which sides act for a tool: off, dual_write, shadow, live, ramp_down, complete; one at a time, forwards or back')
    .argument('<tool>', 'kimi, smart_handler or supabase')
    .argument('[next]', 'the stage to move to; default: say where it is and what the next one needs', stageNamed)
    .addOption(
      new Option('--quiet-for <time>', 'how long legacy must have served nothing before it is written no more')
        .argParser(duration)
        .default(DAY_MS, '1d'),
    )
    .addOption(new Option('--mismatch-tolerance <rate>', 'share of shadow comparisons that may differ').argParser(rate).default(0, 'none'))
    .option('--force', 'move without the evidence; the order of the stages stays')
    .option('--reason <text>', 'why, for the audit')
    .option('--json', 'print one JSON document')
    .action(async (tool: string, to: Stage | undefined, options: StageOptions) => {
      const config = context.config();
      const { quietFor: quietForMs, mismatchTolerance } = options;
      const rules = stageRules(config, { quietForMs, mismatchTolerance });
      const deps = stageDependencies(config, tool, await context.services().stores(), await context.services().client(), context.now);
      if (to === undefined) {
        if (options.force === true) throw new UsageError('--force moves a tool: say to which stage');
        return await show(context, await readStage(tool, rules, deps), options);
      }
      if (options.force === true && options.reason === undefined) throw new UsageError('--force needs --reason: the audit asks for it');
      const request = { tool, to, rules, force: options.force ?? false, by: userName(), reason: options.reason ?? null };
      const record = await moveStage(request, deps);
      if (options.json === true) return await output.json(record);
      await output.data(`${tool}: ${words(record.stage)}`);
      output.message(`Facades follow within 5 s. What comes next needs: npx cutover rollout stage ${tool}`);
    });
}

function stageNamed(text: string): Stage {
  const stage = STAGES.find((each) => each === text.replace('-', '_'));
  if (stage !== undefined) return stage;
  throw new ValidationError(`There is no stage ${JSON.stringify(text)}; there are, in this order: ${STAGES.join(', ')}`, {
    code: 'unknown_stage',
  });
}

async function show({ output, now }: CommandContext, report: StageReport, { json }: StageOptions): Promise<void> {
  if (json === true) return await output.json(report);
  const { tool, stage, since, next, missing, rolloutRuns, switchesOff } = report;
  const entered = since === null ? 'nothing was decided about it' : `for ${formatDuration(Math.max(0, now() - Date.parse(since)))}`;
  const share = stage === 'live' ? `, ${report.share} % of users` : '';
  await output.data(`${output.style('bold', tool, output.stdout)}  ${words(stage)}${share} (${entered})`);
  if (next === null) return await output.data('  the last stage: unified alone');
  const needs = [
    ...(rolloutRuns ? ['a rollout is under way: end it first (promote, rollback)'] : []),
    ...(stage === 'off' && switchesOff.length > 0 ? [`${switchesOff.join(' and ')} must be true`] : []),
    ...missing,
  ];
  await output.data(
    needs.length === 0 ? `  ready for ${words(next)}: npx cutover rollout stage ${tool} ${next}` : `  ${words(next)} needs:`,
  );
  for (const need of needs) await output.data(`  - ${need}`);
}
