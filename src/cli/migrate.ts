import { resolve } from 'node:path';
import type { Command } from 'commander';
import { migrateWorkflowId } from '../../workflows/contract.ts';
import { newMigrationId } from '../client/cutover-client.ts';
import type { Verification } from '../domain/models.ts';
import type { CommandContext } from './context.ts';
import { dryRun } from './dry-run.ts';
import { UsageError } from './errors.ts';
import { registerMigrateControls } from './migrate-controls.ts';
import { collectOutcome } from './migrate-outcome.ts';
import { migrationId, sourceOf, toOption, verifyOption, wholeNumber } from './options.ts';
import { checkReport } from './report.ts';
import { requireProvider } from './services.ts';

export interface MigrateOptions {
  to: string;
  concurrency: number;
  dryRun?: boolean;
  verify?: Exclude<Verification, 'none'>;
  report?: string;
  id?: string;
  attach?: string;
  detach?: boolean;
  json?: boolean;
}

export function registerMigrate(program: Command, context: CommandContext, exit: (code: number) => void): void {
  const migrate = program
    .command('migrate')
    .enablePositionalOptions()
    .description('move every file of a folder or a manifest to a provider, in a durable workflow; or control one that runs')
    .argument('[source]', 'a folder, or a manifest: .csv with a header, .jsonl or .ndjson (a folder named like a subcommand: ./status)')
    .addOption(toOption())
    .option('--concurrency <n>', 'files at once', wholeNumber(1, 500), 50)
    .option('--dry-run', 'say what would be moved; start nothing and change nothing')
    .addOption(verifyOption())
    .option('--report <file>', 'write a line for each file to a .csv, .jsonl or .json file')
    .option('--id <id>', 'name this migration; default: its time and four random digits', migrationId)
    .option('--attach <id>', 'follow a migration that was started before', migrationId)
    .option('--detach', 'start it and return at once')
    .option('--json', 'print the outcome as one JSON document')
    .action(async (source: string | undefined, options: MigrateOptions) => exit(await runMigrate(context, source, options)));
  registerMigrateControls(migrate, context);
}

/** @returns the exit code */
export async function runMigrate(context: CommandContext, given: string | undefined, options: MigrateOptions): Promise<number> {
  refuseContradictions(given, options);
  const report = options.report === undefined ? null : resolve(context.source.cwd, options.report);
  if (report !== null) await checkReport(report);
  if (options.attach !== undefined) return await collectOutcome(context, options.attach, { report, json: options.json ?? false });

  const source = await sourceOf(given ?? '', context.source.cwd);
  const { openSource } = await import('../sources/open.ts');
  const listing = openSource(source);
  await listing.check();
  if (options.dryRun === true) return await dryRun(context, listing, { to: options.to, report, json: options.json ?? false });

  await requireProvider(context, options.to);
  const client = await context.services().client();
  const id = await client.startMigration({
    migrationId: options.id ?? newMigrationId(new Date(context.now())),
    source,
    provider: options.to,
    concurrency: options.concurrency,
    verify: options.verify ?? 'none',
  });
  if (options.detach === true) {
    const url = client.migrationUrl(id);
    if (options.json === true) await context.output.json({ id, workflowId: migrateWorkflowId(id), url });
    else await context.output.data(id);
    context.output.message(`Started${url === null ? '' : `: ${url}`}\nFollow it with: npx cutover migrate --attach ${id}`);
    return 0;
  }
  return await collectOutcome(context, id, { report, json: options.json ?? false, listing });
}

function refuseContradictions(given: string | undefined, options: MigrateOptions): void {
  if (options.attach !== undefined) {
    if (given !== undefined) throw new UsageError('--attach follows a migration that runs already: give no folder with it');
    for (const [flag, set] of Object.entries({
      '--id': options.id,
      '--detach': options.detach,
      '--dry-run': options.dryRun,
      '--verify': options.verify,
    }))
      if (set !== undefined) throw new UsageError(`${flag} says how to start a migration, and --attach starts none: leave one of them out`);
    return;
  }
  if (given === undefined)
    throw new UsageError(
      options.verify === undefined
        ? 'Say what to migrate: npx cutover migrate <folder|manifest>'
        : 'Say what to migrate: npx cutover migrate <folder|manifest> --verify',
    );
  if (options.dryRun === true && options.detach === true)
    throw new UsageError('--dry-run starts nothing, so there is nothing to --detach from');
}
