import type { Command } from 'commander';
import { backfillWorkflowId, reconcileWorkflowId } from '../../workflows/contract.ts';
import { follow } from '../client/follow.ts';
import type { RunKind, RunStates } from '../client/maintenance-client.ts';
import { printable } from '../domain/format.ts';
import type { CommandContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { migrationId } from './options.ts';
import { createLiveLine } from './progress.ts';
import { checkReport } from './report.ts';

/** What the commands over durable runs that go page by page have in common. */

export const runWorkflowId: Readonly<Record<RunKind, (id: string) => string>> = {
  reconcile: reconcileWorkflowId,
  backfill: backfillWorkflowId,
};

/** Its id, or that of its workflow. */
const runId = (text: string): string => migrationId(text.replace(/^(reconcile|hash-backfill):/, ''));

export interface RunOptions {
  attach?: string;
  detach?: boolean;
  report?: string;
  json?: boolean;
}

export interface RunCommand<K extends RunKind> {
  kind: K;
  /** One line of progress. */
  line(state: RunStates[K]): string;
  /** What a person reads at the end. */
  summary(state: RunStates[K], id: string): string[];
  /** What a program reads. */
  outcome(state: RunStates[K]): object;
  /** Of one that ended as it should. */
  exitCode(state: RunStates[K]): number;
  /** Writes the report. @returns the number of lines */
  report?(id: string, path: string): Promise<number>;
}

/** Follows a run to its end and tells what came of it. @returns the exit code */
export async function followRun<K extends RunKind>(
  context: CommandContext,
  id: string,
  command: RunCommand<K>,
  { report, json = false }: { report: string | null; json?: boolean | undefined },
): Promise<number> {
  const { output, signal, now } = context;
  const { kind } = command;
  const client = await context.services().client();
  const url = client.workflowUrl(runWorkflowId[kind](id));
  output.message(`${title(kind)} ${id}${url === null ? '' : `: ${url}`}`);
  const live = createLiveLine(output.stderr, now);
  const run = { what: kind, result: () => client.runResult(kind, id), status: () => client.runStatus(kind, id) };
  const progress = { show: (state: RunStates[K]) => live.show(command.line(state)), end: live.end };
  const state = await follow(run, { progress, signal, now, message: (line) => output.message(line) });
  if (state === null) {
    output.message(`Detached. The ${kind} goes on; come back with: npx cutover ${kind} --attach ${id}`);
    return EXIT.interrupted;
  }
  if (report !== null && command.report !== undefined) {
    const lines = await command.report(id, report);
    output.message(`Report with ${lines} ${lines === 1 ? 'line' : 'lines'}: ${report}`);
  }
  const { phase, reason, startedAtMs, updatedAtMs } = state;
  if (json)
    await output.json({
      ...{ id, workflowId: runWorkflowId[kind](id), url, phase, reason, startedAt: new Date(startedAtMs).toISOString() },
      ...{ elapsedMs: updatedAtMs - startedAtMs, ...command.outcome(state), report },
    });
  else for (const line of command.summary(state, id)) await output.data(line);
  return phase === 'done' ? command.exitCode(state) : EXIT.failed;
}

/** Says that a run was started, to a person or a program that does not wait for its end. */
export async function tellStarted(context: CommandContext, kind: RunKind, id: string, json: boolean): Promise<void> {
  const workflowId = runWorkflowId[kind](id);
  const url = (await context.services().client()).workflowUrl(workflowId);
  if (json) await context.output.json({ id, workflowId, url });
  else await context.output.data(id);
  context.output.message(`Started${url === null ? '' : `: ${url}`}\nFollow it with: npx cutover ${kind} --attach ${id}`);
}

export const withRunOptions = (command: Command, kind: RunKind): Command =>
  command
    .option('--report <file>', 'write a line for each to a .csv, .jsonl or .json file')
    .option('--attach <id>', `follow a ${kind} that was started before`, runId)
    .option('--detach', 'start it and return at once')
    .option('--json', 'print the outcome as one JSON document');

/** The report's file, if one is wanted: that it cannot be written is said before the work begins. */
export async function reportPath(path: string | undefined): Promise<string | null> {
  if (path !== undefined) await checkReport(path);
  return path ?? null;
}

/** `… status|pause|resume|cancel ID`. */
export function registerRunControls<K extends RunKind>(parent: Command, context: CommandContext, command: RunCommand<K>): void {
  const { kind } = command;
  const { output } = context;
  const control = (name: string, description: string) =>
    parent
      .command(name)
      .description(description)
      .argument('<id>', `the id of the ${kind}`, runId)
      .option('--json', 'print one JSON document');

  control('status', `say how far a ${kind} is, also one that has ended`).action(async (id: string, { json }: { json?: boolean }) => {
    const client = await context.services().client();
    const state = await client.runStatus(kind, id);
    const { phase, reason } = state;
    if (json === true)
      return await output.json({ id, url: client.workflowUrl(runWorkflowId[kind](id)), phase, reason, ...command.outcome(state) });
    await output.data(`${phase}${reason === null ? '' : ` (${printable(reason)})`} · ${command.line(state)}`);
  });
  const signal = (name: 'pause' | 'resume' | 'cancel', description: string, sent: string): Command =>
    control(name, description).action(async (id: string, { reason, json }: { reason?: string; json?: boolean }) => {
      await (await context.services().client()).signalRun(kind, id, name, reason);
      if (json === true) await output.json({ id, signal: name, reason: reason ?? null });
      else output.message(`${sent} Look at it with: npx cutover ${kind} status ${id}`);
    });
  const why = ['--reason <text>', 'why, for those who look at it later'] as const;
  signal('pause', 'stop behind the page that is under way, until it is resumed', 'Asked to pause.').option(...why);
  signal('resume', 'go on after a pause', 'Asked to go on.');
  signal('cancel', 'stop it for good behind the page that is under way', 'Asked to cancel.').option(...why);
}

export const title = (kind: RunKind): string => ({ reconcile: 'Reconciliation', backfill: 'Backfill' })[kind];
