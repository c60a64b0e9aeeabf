import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { rehomeWorkflowId } from '../../workflows/contract.ts';
import { settingsOfTool } from '../config/index.ts';
import { countOf, formatBytes, formatDuration, printable } from '../domain/format.ts';
import { type RehomeState, rehomed } from '../domain/rehome.ts';
import type { CommandContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { verifyOption, wholeNumber } from './options.ts';

export interface RehomeOptions {
  all?: boolean;
  verify?: 'stored' | 'download';
  concurrency?: number;
  attach?: boolean;
  detach?: boolean;
  json?: boolean;
}

const POLL_MS = 500;
/** Nothing has moved for so long: perhaps nobody serves the old path. */
const SILENCE_MS = 15_000;

/** `rollout rehome`, and `rollout rehome pause|resume|cancel`. */
export function registerRehome(rollout: Command, context: CommandContext, exit: (code: number) => void): void {
  const rehome = rollout
    .command('rehome')
    .description('copy the files that only unified holds into legacy storage, and check each; once at a time for a tool')
    .argument('<tool>', 'kimi, smart_handler or supabase')
    .option('--all', 'also files from before the last rollout began')
    .addOption(verifyOption())
    .option('--concurrency <n>', 'files at once', wholeNumber(1, 100))
    .option('--attach', 'follow one that is under way or has ended')
    .option('--detach', 'start it and return at once')
    .option('--json', 'print the outcome as one JSON document')
    .action(async (tool: string, options: RehomeOptions) => exit(await runRehome(context, tool, options)));

  for (const [name, description] of [
    ['pause', 'start no more copies until it is resumed'],
    ['resume', 'go on after a pause'],
    ['cancel', 'stop it; what has been copied stays'],
  ] as const)
    rehome
      .command(name)
      .description(description)
      .argument('<tool>', 'kimi, smart_handler or supabase')
      .option('--reason <text>', 'why, for those who look at it later')
      .option('--json', 'print one JSON document')
      .action(async (tool: string, { reason, json }: { reason?: string; json?: boolean }) => {
        settingsOfTool(context.config().migration, tool);
        const client = await context.services().client();
        const why = reason === undefined ? {} : { reason };
        if (name === 'pause') await client.pauseRehome(tool, why);
        else if (name === 'resume') await client.resumeRehome(tool, why);
        else await client.cancelRehome(tool, why);
        if (json === true) await context.output.json({ tool, signal: name, reason: reason ?? null });
        else context.output.message(`Asked. Look at it with: npx cutover rollout rehome ${tool} --attach`);
      });
}

/** @returns the exit code */
export async function runRehome(context: CommandContext, tool: string, options: RehomeOptions): Promise<number> {
  const { output, signal } = context;
  settingsOfTool(context.config().migration, tool);
  const client = await context.services().client();
  if (options.attach !== true) {
    const since = options.all === true ? null : ((await (await context.services().stores()).rollouts.rollout(tool))?.startedAt ?? null);
    const { verify, concurrency } = options;
    await client.startRehome({
      ...{ tool, since },
      ...(verify === undefined ? {} : { verify }),
      ...(concurrency === undefined ? {} : { concurrency }),
    });
  }
  const url = client.workflowUrl(rehomeWorkflowId(tool));
  output.message(`Re-homing ${tool}${url === null ? '' : `: ${url}`}`);
  if (options.detach === true) {
    if (options.json === true) await output.json({ tool, workflowId: rehomeWorkflowId(tool), url });
    output.message(`Follow it with: npx cutover rollout rehome ${tool} --attach`);
    return EXIT.ok;
  }
  const state = await follow(context, tool);
  if (state === null || signal.aborted) {
    output.message(`Detached. It goes on; come back with: npx cutover rollout rehome ${tool} --attach`);
    return EXIT.interrupted;
  }
  if (options.json === true) await output.json({ tool, workflowId: rehomeWorkflowId(tool), url, ...outcomeOf(state) });
  else for (const line of summary(tool, state)) await output.data(line);
  return state.phase === 'done' && state.totals.failed === 0 ? EXIT.ok : EXIT.failed;
}

/** Null when the signal came first. */
async function follow({ services, signal, output, now }: CommandContext, tool: string): Promise<RehomeState | null> {
  const client = await services().client();
  const result = client.rehomeResult(tool);
  result.catch(() => undefined);
  let last = '';
  let movedAt: number | null = now();
  for (;;) {
    const ended = await Promise.race([result, sleep(POLL_MS, null, { signal }).catch(() => null)]);
    if (ended !== null) return ended;
    if (signal.aborted) return null;
    const state = await client.rehomeStatus(tool).catch(() => null);
    const line =
      state === null ? '' : `${state.phase} · ${rehomed(state.totals)}/${state.totals.listed} files · ${state.totals.failed} failed`;
    if (line !== '' && line !== last) {
      output.message(line);
      last = line;
      movedAt = now();
    } else if (movedAt !== null && state?.phase !== 'paused' && now() - movedAt > SILENCE_MS) {
      movedAt = null;
      output.message(
        'Nothing moves. Copies are made by a worker that reaches the old path: one with LEGACY_URL or LEGACY_BUCKET set, or an application that calls serveLegacy. It is safe in Temporal and waits.',
      );
    }
  }
}

function outcomeOf({ phase, reason, totals, failures, startedAtMs, updatedAtMs }: RehomeState) {
  return { phase, reason, totals, failures, startedAt: new Date(startedAtMs).toISOString(), elapsedMs: updatedAtMs - startedAtMs };
}

function summary(tool: string, { phase, totals, failures, startedAtMs, updatedAtMs }: RehomeState): string[] {
  const { listed, copied, copiedBytes, there, gone, failed } = totals;
  return [
    `Re-homing ${tool} ${phase}: ${countOf(listed, 'file')} in ${formatDuration(Math.max(0, updatedAtMs - startedAtMs))}`,
    `  copied and checked  ${copied}, ${formatBytes(copiedBytes)}`,
    `  there already       ${there}`,
    ...(gone > 0 ? [`  deleted meanwhile   ${gone}`] : []),
    `  failed              ${failed}`,
    ...failures.map(({ fileId, error }) => `  ${fileId}: ${printable(error)}`),
    ...(failed > 0 ? [`Try those again with: npx cutover rollout rehome ${tool}`] : []),
  ];
}
