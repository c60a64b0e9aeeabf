import { resolve } from 'node:path';
import type { Command } from 'commander';
import { newMigrationId } from '../client/cutover-client.ts';
import { BACKFILL_COLUMNS, type BackfillItem, type BackfillState, filesSeen } from '../domain/backfill-run.ts';
import { countOf, formatBytes, formatCount, formatDuration, formatRate, printable } from '../domain/format.ts';
import type { MaintenanceLedger } from '../ledger/maintenance-ledger.ts';
import type { CommandContext } from './context.ts';
import { UsageError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { wholeNumber } from './options.ts';
import { followRun, type RunCommand, type RunOptions, registerRunControls, reportPath, tellStarted, withRunOptions } from './paged-runs.ts';
import { writeReport } from './report.ts';

interface BackfillOptions extends RunOptions {
  dryRun?: boolean;
  batchSize: number;
  from: string;
  bucket?: string;
}

const HELP = `
For the files of an application that had none: each row of files without a sha256 is read from its storage_path in the bucket, and its
hash recorded. The same content twice: the later row keeps its id and points to the first (duplicate_of), and its references move
there. What is recorded once is not read again, so that a run can be stopped anywhere and begun anew. --dry-run reads all the same.
Exit code: 0 when every file was read, 1 when some could not be.`;

const PAGE = 1000;

export function registerBackfill(program: Command, context: CommandContext, exit: (code: number) => void): void {
  const command = withRunOptions(
    program
      .command('backfill')
      .enablePositionalOptions()
      .description('record the SHA-256 of files that were recorded without one, in a durable workflow')
      .option('--dry-run', 'read the files and say what would be recorded; change nothing')
      .option('--batch-size <n>', 'files in one step', wholeNumber(1, 1000), 100)
      .option('--from <provider>', 'the storage that has the old files', 'supabase')
      .option('--bucket <name>', 'the bucket that has the old files; default: LEGACY_BUCKET')
      .addHelpText('after', HELP),
    'backfill',
  ).action(async (options: BackfillOptions) => exit(await runBackfill(context, options)));
  registerRunControls(command, context, backfillCommand(context));
}

/** @returns the exit code */
async function runBackfill(context: CommandContext, options: BackfillOptions): Promise<number> {
  const { attach, detach = false, json = false, dryRun = false, batchSize, from } = options;
  if (attach !== undefined && (dryRun || detach || options.bucket !== undefined))
    throw new UsageError('--attach follows a backfill that was started before: leave --dry-run, --bucket and --detach out');
  const report = await reportPath(options.report === undefined ? undefined : resolve(context.source.cwd, options.report));
  let id = attach;
  if (id === undefined) {
    const stores = await context.services().stores();
    stores.provider(from);
    const bucket = options.bucket ?? stores.legacyBucket;
    if (bucket === null) throw new UsageError('Say in which bucket the old files are: --bucket NAME, or set LEGACY_BUCKET');
    id = newMigrationId(new Date(context.now()));
    await (await context.services().client()).startBackfill({ runId: id, provider: from, bucket, batchSize, dryRun });
    if (detach) {
      await tellStarted(context, 'backfill', id, json);
      return EXIT.ok;
    }
  }
  return await followRun(context, id, backfillCommand(context), { report, json });
}

const backfillCommand = (context: CommandContext): RunCommand<'backfill'> => ({
  kind: 'backfill',
  line: (state) => {
    const { outcomes, bytes, before, phase } = state;
    return [
      `${formatCount(filesSeen(state))}/${before === null ? '?' : formatCount(before.unhashed)} files`,
      formatBytes(bytes),
      `${formatCount(outcomes.duplicate)} duplicates`,
      `${formatCount(outcomes.unreadable)} unreadable`,
      ...(phase === 'running' || phase === 'done' ? [] : [phase]),
    ].join(' · ');
  },
  summary,
  outcome: ({ dryRun, outcomes, bytes, reasons, before }) => ({ dryRun, outcomes, bytes, reasons, before }),
  exitCode: ({ outcomes }) => (outcomes.unreadable === 0 ? EXIT.ok : EXIT.failed),
  report: async (id, path) => await writeReport(path, items((await context.services().stores()).maintenance, id), BACKFILL_COLUMNS),
});

async function* items(maintenance: MaintenanceLedger, id: string): AsyncGenerator<BackfillItem> {
  for (let after: string | null = null; ; ) {
    const page: BackfillItem[] = await maintenance.hashItems(id, { after, limit: PAGE });
    yield* page;
    if (page.length < PAGE) return;
    after = page.at(-1)?.fileId ?? null;
  }
}

function summary(state: BackfillState, id: string): string[] {
  const { phase, reason, outcomes, bytes, before, reasons, dryRun, startedAtMs, updatedAtMs } = state;
  const elapsedMs = Math.max(1, updatedAtMs - startedAtMs);
  const row = (label: string, count: number, rest = ''): string =>
    `  ${label.padEnd(16)}${formatCount(count).padStart(9)}${rest === '' ? '' : `  ${rest}`}`;
  return [
    `Backfill ${id} ${phase}${reason === null ? '' : ` (${printable(reason)})`}: ${countOf(filesSeen(state), 'file')} in ${formatDuration(elapsedMs)}`,
    row('hashed', outcomes.hashed, bytes === 0 ? '' : `${formatBytes(bytes)} read, ${formatRate((bytes / elapsedMs) * 1000)}`),
    row(
      'there already',
      (before?.hashed ?? 0) + (before?.duplicates ?? 0) + outcomes.already_hashed,
      'had a hash, or were known as duplicates',
    ),
    row(
      'duplicates',
      outcomes.duplicate,
      outcomes.duplicate === 0 ? '' : 'keep their ids and point to the first one; their references moved there',
    ),
    row('unreadable', outcomes.unreadable),
    ...Object.entries(reasons).map(([code, count]) => `    ${formatCount(count)} ${code}`),
    ...(dryRun ? ['Nothing was recorded: this was a dry run.'] : []),
  ];
}
