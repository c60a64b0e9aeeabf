import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { newMigrationId } from '../client/cutover-client.ts';
import { formatCount, formatDuration, printable } from '../domain/format.ts';
import { disagreementsOf, KIND_WORDS, type ReconcileState } from '../domain/reconcile-run.ts';
import { DISAGREEMENTS, RECONCILE_COLUMNS, type ReconcileItem } from '../domain/reconciliation.ts';
import type { MaintenanceLedger } from '../ledger/maintenance-ledger.ts';
import type { CommandContext } from './context.ts';
import { UsageError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { collect } from './options.ts';
import { followRun, type RunCommand, type RunOptions, registerRunControls, reportPath, tellStarted, withRunOptions } from './paged-runs.ts';
import { writeReport } from './report.ts';
import { duration } from './rollout-options.ts';

interface ReconcileOptions extends RunOptions {
  to?: readonly string[];
  fix?: boolean;
  fixUnknown?: boolean;
  grace: number;
  hashes: boolean;
  foreign?: boolean;
}

const HELP = `
Six kinds of disagreement: lost (a row without its object), unknown (an object of Cutover's without a row), other_size and other_hash
(not what the ledger says), purged (deleted, and still there), stranded (left by uploads that failed). Objects that are not
Cutover's are counted and never touched. With --fix, lost rows are given up, so that the next upload sends their content again, and
objects are moved to trash/<id>/… in their bucket; where ids are the vendor's they are left to retention. Nothing is deleted but
what was staged for an upload more than 14 days ago.
Where more than 10 of Cutover's objects at a provider and more than 10 % of them are unknown, they are left: the bucket may be another
ledger's, or its address may be new. --fix-unknown moves them all the same.
Exit code: 0 when ledger and providers agree (or do now), 1 when something is left.`;

/** What is shown of the findings; all of them are in the report. */
const SHOWN = 20;
const PAGE = 1000;

export function registerReconcile(program: Command, context: CommandContext, exit: (code: number) => void): void {
  const command = withRunOptions(
    program
      .command('reconcile')
      .enablePositionalOptions()
      .description('compare the ledger with what providers hold, in both directions, in a durable workflow')
      .option('--to <provider>', 'one provider; give it again for more; default: all that are configured', collect)
      .option('--fix', 'settle what is found: nothing that could not be taken back')
      .option('--fix-unknown', "with --fix: settle unknown objects also where there are too many of them to be nobody's")
      .addOption(
        new Option('--grace <time>', 'leave alone what was written or changed within it').argParser(duration).default(duration('1h'), '1h'),
      )
      .option('--no-hashes', 'do not ask for the hash of each object, where a provider knows one; sizes are compared all the same')
      .option('--foreign', "list objects that are not Cutover's, too")
      .addHelpText('after', HELP),
    'reconcile',
  ).action(async (options: ReconcileOptions) => exit(await runReconcile(context, options)));
  registerRunControls(command, context, reconcileCommand(context));
}

/** @returns the exit code */
async function runReconcile(context: CommandContext, options: ReconcileOptions): Promise<number> {
  const { attach, detach = false, json = false, fix = false, fixUnknown = false, grace, hashes, foreign = false } = options;
  if (attach !== undefined && (options.to !== undefined || fix || fixUnknown || detach || foreign))
    throw new UsageError(
      '--attach follows a reconciliation that was started before: leave --to, --fix, --fix-unknown, --foreign and --detach out',
    );
  if (fixUnknown && !fix) throw new UsageError('--fix-unknown settles nothing by itself: give --fix, too');
  const report = await reportPath(options.report === undefined ? undefined : resolve(context.source.cwd, options.report));
  let id = attach;
  if (id === undefined) {
    const stores = await context.services().stores();
    const providers = [...new Set(options.to ?? stores.providers.all().map(({ name }) => name))];
    for (const name of providers) stores.provider(name);
    id = newMigrationId(new Date(context.now()));
    const client = await context.services().client();
    await client.startReconcile({ providers, fix, fixUnknown, order: { runId: id, graceSeconds: grace / 1000, hashes, foreign } });
    if (detach) {
      await tellStarted(context, 'reconcile', id, json);
      return EXIT.ok;
    }
  }
  const code = await followRun(context, id, reconcileCommand(context), { report, json });
  if (!json && code !== EXIT.interrupted) await showFindings(context, id);
  return code;
}

const reconcileCommand = (context: CommandContext): RunCommand<'reconcile'> => ({
  kind: 'reconcile',
  line: ({ counts, step, phase }) =>
    [
      `${formatCount(counts.objects)} objects seen`,
      `${formatCount(disagreementsOf(counts))} disagreements`,
      ...(step === 'copies' ? ['looking for lost copies'] : []),
      ...(step === 'settling' ? [`${formatCount(settledOf(counts))} settled`] : []),
      ...(phase === 'running' || phase === 'done' ? [] : [phase]),
    ].join(' · '),
  summary,
  outcome: ({ counts }) => ({ counts, disagreements: disagreementsOf(counts), settled: settledOf(counts) }),
  exitCode: ({ counts }) => (disagreementsOf(counts) > settledOf(counts) ? EXIT.failed : EXIT.ok),
  report: async (id, path) => await writeReport(path, findings((await context.services().stores()).maintenance, id), RECONCILE_COLUMNS),
});

const settledOf = ({ invalidated, moved, left_to_retention }: ReconcileState['counts']): number => invalidated + moved + left_to_retention;

async function* findings(maintenance: MaintenanceLedger, id: string): AsyncGenerator<ReconcileItem> {
  for (let after: number | null = null; ; ) {
    const page = await maintenance.findings(id, { after, limit: PAGE });
    for (const { position, ...item } of page) {
      yield item;
      after = position;
    }
    if (page.length < PAGE) return;
  }
}

function summary({ phase, reason, counts, startedAtMs, updatedAtMs, doubtful = [] }: ReconcileState, id: string): string[] {
  const row = (label: string, count: number, rest = ''): string =>
    `  ${label.padEnd(16)}${formatCount(count).padStart(9)}${rest === '' ? '' : `  ${rest}`}`;
  const maybe = (label: string, count: number, rest = ''): string[] => (count === 0 ? [] : [row(label, count, rest)]);
  // A run that began before they were counted has none.
  const { staged = 0, deleted = 0 } = counts;
  const unsettled = disagreementsOf(counts) - settledOf(counts);
  return [
    `Reconciliation ${id} ${phase}${reason === null ? '' : ` (${printable(reason)})`}: ${formatCount(counts.objects)} objects in ${formatDuration(Math.max(1, updatedAtMs - startedAtMs))}`,
    row(
      'agree',
      counts.agrees,
      counts.hashed === 0 ? 'by their sizes; no provider told a hash' : `${formatCount(counts.hashed)} compared by hash, too`,
    ),
    ...DISAGREEMENTS.map((kind) => row(kind, counts[kind], counts[kind] === 0 ? '' : KIND_WORDS[kind])),
    ...maybe('left alone', counts.young, 'written or changed within the grace, or under way'),
    ...maybe('to be purged', counts.awaitingPurge, 'deleted: retention will come to them'),
    ...maybe('foreign', counts.foreign, "not Cutover's: not looked at"),
    ...maybe('aside', counts.aside, 'in the trash, or staged'),
    ...maybe('left staged', staged, deleted > 0 ? `${formatCount(deleted)} deleted` : 'for more than 14 days: --fix deletes them'),
    ...maybe('given up', counts.invalidated, 'the next upload of the content sends it again'),
    ...maybe('moved', counts.moved, `to trash/${id}/ in their bucket`),
    ...maybe('to retention', counts.left_to_retention, 'purged by the sweep after its grace'),
    ...maybe('not settled', counts.left + counts.failed, 'the report says why'),
    ...(doubtful.length === 0
      ? []
      : [
          "Too many objects are unknown: is this bucket another ledger's, or is its address new? If they are nobody's: --fix --fix-unknown",
        ]),
    ...whatNext(phase, unsettled, counts),
  ];
}

function whatNext(phase: ReconcileState['phase'], unsettled: number, { left, failed }: ReconcileState['counts']): string[] {
  if (phase !== 'done') return ['It was stopped before its end: what it had not come to is not compared.'];
  if (unsettled === 0) return ['Ledger and providers agree.'];
  return left + failed > 0 ? [] : ['Settle what is found: npx cutover reconcile --fix'];
}

async function showFindings(context: CommandContext, id: string): Promise<void> {
  const { maintenance } = await context.services().stores();
  const found = (await maintenance.findings(id, { after: null, limit: SHOWN + 1 })).slice(0, SHOWN + 1);
  if (found.length === 0) return;
  await context.output.table(
    ['KIND', 'PROVIDER', 'NAME', 'ACTION', 'OBJECT'],
    found
      .slice(0, SHOWN)
      .map(({ kind, provider, name, objectId, action, detail }) => [
        kind,
        provider,
        name ?? '–',
        `${action}${detail !== null && action !== 'moved' ? `: ${detail}` : ''}`,
        action === 'moved' ? `${objectId} → ${detail}` : objectId,
      ]),
  );
  if (found.length > SHOWN) context.output.message(`… and more. All of them: npx cutover reconcile --attach ${id} --report findings.csv`);
}
