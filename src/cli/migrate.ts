import { resolve } from 'node:path';
import type { Command } from 'commander';
import { migrateWorkflowId } from '../../workflows/contract.ts';
import { newMigrationId } from '../client/cutover-client.ts';
import type { Verification } from '../domain/models.ts';
import type { Stores } from '../manager/stores.ts';
import { sourceOf } from '../sources/named-source.ts';
import type { CommandContext } from './context.ts';
import { dryRun } from './dry-run.ts';
import { UsageError } from './errors.ts';
import { registerMigrateControls } from './migrate-controls.ts';
import { collectOutcome } from './migrate-outcome.ts';
import { migrationId, toOption, verifyOption, wholeNumber } from './options.ts';
import { preflight } from './preflight.ts';
import { checkReport } from './report.ts';

export interface MigrateOptions {
  to: string;
  concurrency: number;
  purpose: string;
  dryRun?: boolean;
  preflight?: boolean;
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
    .description('move every file of a folder, a manifest or a provider to a provider, in a durable workflow; or control one that runs')
    .argument(
      '[source]',
      'a folder; a manifest: .csv with a header, .jsonl or .ndjson; or provider:NAME[/BUCKET[/FOLDER]] (a folder named like a subcommand: ./status)',
    )
    .addOption(toOption())
    .option(
      '--purpose <purpose>',
      "what the files are for: a provider's own word, or storage, extract, vision, batch, code, voice",
      'storage',
    )
    .option('--concurrency <n>', 'files at once', wholeNumber(1, 500), 50)
    .option('--dry-run', 'say what would be moved: read every file, start nothing and change nothing')
    .option('--preflight', 'say what will not fit and how long it will take: read no file, start nothing')
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

  const { to, verify = 'none', purpose, json = false } = options;
  const source = await sourceOf(given ?? '', context.source.cwd);
  const { checkMigration } = await import('../sources/check-migration.ts');
  const stores = await storesKnownHere(context, options);
  const listing = await checkMigration({ source, provider: to, verify, purpose }, stores?.provider ?? null, context.signal);
  if (listing !== null && options.dryRun === true) return await dryRun(context, listing, { to, purpose, report, json });
  if (listing !== null && options.preflight === true) return await preflight(context, listing, { source, to, purpose, json });

  const client = await context.services().client();
  const id = await client.startMigration({
    migrationId: options.id ?? newMigrationId(new Date(context.now())),
    source,
    provider: options.to,
    concurrency: options.concurrency,
    verify: options.verify ?? 'none',
    purpose,
  });
  if (options.detach === true) {
    const url = client.migrationUrl(id);
    if (options.json === true) await context.output.json({ id, workflowId: migrateWorkflowId(id), url });
    else await context.output.data(id);
    context.output.message(`Started${url === null ? '' : `: ${url}`}\nFollow it with: npx cutover migrate --attach ${id}`);
    return 0;
  }
  return await collectOutcome(context, id, { report, json: options.json ?? false, ...(listing === null ? {} : { listing }) });
}

/** Null where only Temporal is known here and something is to be started: the workers find out what is wrong. */
async function storesKnownHere({ config, services }: CommandContext, { dryRun, preflight }: MigrateOptions): Promise<Stores | null> {
  return config().supabase.url === null && dryRun !== true && preflight !== true ? null : await services().stores();
}

function refuseContradictions(given: string | undefined, options: MigrateOptions): void {
  if (options.attach !== undefined) {
    if (given !== undefined) throw new UsageError('--attach follows a migration that runs already: give no folder with it');
    for (const [flag, set] of Object.entries({
      '--id': options.id,
      '--detach': options.detach,
      '--dry-run': options.dryRun,
      '--preflight': options.preflight,
      '--verify': options.verify,
    }))
      if (set !== undefined) throw new UsageError(`${flag} says how to start a migration, and --attach starts none: leave one of them out`);
    return;
  }
  if (given === undefined)
    throw new UsageError(
      options.verify === undefined
        ? 'Say what to migrate: npx cutover migrate <folder|manifest|provider:NAME>'
        : 'Say what to migrate: npx cutover migrate <folder|manifest|provider:NAME> --verify',
    );
  const only = options.dryRun === true ? '--dry-run' : options.preflight === true ? '--preflight' : null;
  if (only !== null && options.detach === true) throw new UsageError(`${only} starts nothing, so there is nothing to --detach from`);
  if (options.preflight === true && (options.dryRun === true || options.report !== undefined))
    throw new UsageError('--preflight counts without reading a file: for a line for each file, take --dry-run alone');
}
