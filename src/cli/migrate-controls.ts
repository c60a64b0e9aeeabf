import type { Command } from 'commander';
import { printable } from '../domain/format.ts';
import { progressLine } from '../domain/migration-line.ts';
import { outcomeOf } from '../domain/migration-outcome.ts';
import type { CommandContext } from './context.ts';
import { migrationId, wholeNumber } from './options.ts';

interface ControlOptions {
  reason?: string;
  json?: boolean;
}

/** `migrate status|list|pause|resume|cancel`. */
export function registerMigrateControls(migrate: Command, context: CommandContext): void {
  const { output } = context;
  const control = (name: string, description: string) =>
    migrate
      .command(name)
      .description(description)
      .argument('<id>', 'the id of the migration', migrationId)
      .option('--json', 'print one JSON document');

  control('status', 'say how far a migration is, also one that has ended').action(async (id: string, { json }: ControlOptions) => {
    const client = await context.services().client();
    const state = await client.migrationStatus(id);
    const url = client.migrationUrl(id);
    if (json === true) return await output.json({ id, url, running: state.running, ...outcomeOf(state) });
    const reason = state.reason === null ? '' : ` (${printable(state.reason)})`;
    await output.data(`${state.phase}${reason} · ${progressLine({ ...state, phase: 'copying' }, [], null)}`);
    for (const { path, error } of state.failures) await output.data(`  ${printable(path)}: ${printable(error)}`);
    if (url !== null) output.message(url);
  });

  migrate
    .command('list')
    .description('the migrations that Temporal still knows, newest first')
    .option('--limit <n>', 'how many', wholeNumber(1, 1000), 20)
    .option('--json', 'print a JSON document for each')
    .action(async ({ limit, json }: { limit: number; json?: boolean }) => {
      const found = await (await context.services().client()).listMigrations(limit);
      if (json === true) for (const one of found) await output.json(one);
      else
        await output.table(
          ['ID', 'STATUS', 'STARTED'],
          found.map(({ id, status, startedAt }) => [id, status.toLowerCase(), startedAt.toISOString()]),
        );
    });

  const signal = (name: 'pause' | 'resume' | 'cancel', description: string, sent: string): Command =>
    control(name, description).action(async (id: string, { reason, json }: ControlOptions) => {
      const client = await context.services().client();
      if (name === 'pause') await client.pauseMigration(id, reason);
      else if (name === 'cancel') await client.cancelMigration(id, reason);
      else await client.resumeMigration(id);
      if (json === true) await output.json({ id, signal: name, reason: reason ?? null });
      else output.message(`${sent} Look at it with: npx cutover migrate status ${id}`);
    });
  const why = ['--reason <text>', 'why, for those who look at it later'] as const;
  signal('pause', 'start no more files until it is resumed; those under way finish', 'Asked to pause.').option(...why);
  signal('resume', 'go on after a pause', 'Asked to go on.');
  signal('cancel', 'stop it for good; what has arrived stays', 'Asked to cancel.').option(...why);
}
