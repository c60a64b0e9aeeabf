import { migrateWorkflowId } from '../../workflows/contract.ts';
import { followMigration } from '../client/follow.ts';
import { countOf } from '../domain/format.ts';
import { outcomeOf, summaryOf } from '../domain/migration-outcome.ts';
import { migrationItems } from '../manager/migration-items.ts';
import type { Source } from '../sources/source.ts';
import type { CommandContext } from './context.ts';
import { countSource } from './count-source.ts';
import { EXIT } from './exit-codes.ts';
import { createProgress } from './progress.ts';
import { writeReport } from './report.ts';

export interface OutcomeOptions {
  report: string | null;
  json: boolean;
  /** The source, where it can be seen from here: counted beside the work, so that the end can be estimated. */
  listing?: Source;
}

/** Follows a migration to its end and tells what came of it. @returns the exit code */
export async function collectOutcome(context: CommandContext, id: string, { report, json, listing }: OutcomeOptions): Promise<number> {
  const { output, signal, now } = context;
  const client = await context.services().client();
  const url = client.migrationUrl(id);
  output.message(`Migration ${id}${url === null ? '' : `: ${url}`}`);
  const progress = createProgress(output.stderr, now);
  if (listing !== undefined) countSource(listing, signal).then(progress.expect, () => undefined);
  const state = await followMigration(client, id, { progress, signal, now, message: (line) => output.message(line) });
  if (state === null) {
    output.message(`Detached. The migration goes on; come back with: npx cutover migrate --attach ${id}`);
    return EXIT.interrupted;
  }
  if (report !== null) {
    const { ledger } = await context.services().stores();
    const lines = await writeReport(report, migrationItems(ledger, id));
    output.message(`Report with ${countOf(lines, 'line')}: ${report}`);
  }
  if (json) await output.json({ id, workflowId: migrateWorkflowId(id), url, ...outcomeOf(state), report });
  else for (const line of summaryOf(state, id)) await output.data(line);
  return state.phase === 'done' && state.totals.failed === 0 ? EXIT.ok : EXIT.failed;
}
