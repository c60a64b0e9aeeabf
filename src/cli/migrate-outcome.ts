import { migrateWorkflowId } from '../../workflows/contract.ts';
import { countOf, formatBytes, formatCount, formatDuration, formatRate, printable } from '../domain/format.ts';
import type { MigrationState } from '../domain/migration.ts';
import type { Source } from '../sources/source.ts';
import type { CommandContext } from './context.ts';
import { countSource } from './count-source.ts';
import { EXIT } from './exit-codes.ts';
import { followMigration } from './follow.ts';
import { createProgress } from './progress.ts';
import { reportItems, writeReport } from './report.ts';

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
    const lines = await writeReport(report, reportItems(ledger, id));
    output.message(`Report with ${countOf(lines, 'line')}: ${report}`);
  }
  if (json) await output.json({ id, workflowId: migrateWorkflowId(id), url, ...outcomeOf(state), report });
  else for (const line of summary(state, id)) await output.data(line);
  return state.phase === 'done' && state.totals.failed === 0 ? EXIT.ok : EXIT.failed;
}

/** The state without what is of use only to the workflow itself. */
export function outcomeOf({ phase, reason, totals, failures, startedAtMs, updatedAtMs }: MigrationState) {
  return { phase, reason, totals, failures, startedAt: new Date(startedAtMs).toISOString(), elapsedMs: updatedAtMs - startedAtMs };
}

/** What a person reads at the end. */
export function summary(state: MigrationState, id: string): string[] {
  const { totals, phase, reason, failures } = state;
  const elapsedMs = Math.max(1, state.updatedAtMs - state.startedAtMs);
  const row = (label: string, count: number, rest = ''): string =>
    `  ${label.padEnd(16)}${formatCount(count).padStart(9)}${rest === '' ? '' : `  ${rest}`}`;
  const lines = [
    `Migration ${id} ${phase}${reason === null ? '' : ` (${printable(reason)})`}: ${countOf(totals.listed, 'file')}, ${formatBytes(totals.listedBytes)} in ${formatDuration(elapsedMs)}`,
    row(
      'uploaded',
      totals.uploaded,
      totals.uploaded === 0 ? '' : `${formatBytes(totals.uploadedBytes)}, ${formatRate((totals.uploadedBytes / elapsedMs) * 1000)}`,
    ),
    row('there already', totals.deduplicated, formatBytes(totals.deduplicatedBytes)),
    ...(totals.verifiedStored > 0 ? [row('verified', totals.verifiedStored, 'by the size and hash on record')] : []),
    ...(totals.verifiedDownload > 0 ? [row('verified', totals.verifiedDownload, 'read back and hashed again')] : []),
    row('failed', totals.failed),
    ...(totals.skipped > 0 ? [row('skipped', totals.skipped, 'not files: links to folders, sockets and the like')] : []),
    ...(totals.cancelled > 0 ? [row('cancelled', totals.cancelled)] : []),
  ];
  if (phase === 'done' && totals.uploaded === 0 && totals.deduplicated > 0)
    lines.push(`Nothing was uploaded: ${countOf(totals.deduplicated, 'file was', 'files were')} there already.`);
  for (const { path, error } of failures) lines.push(`  ${printable(path)}: ${printable(error)}`);
  if (totals.failed > failures.length) lines.push(`  … and ${countOf(totals.failed - failures.length, 'more failure')}`);
  if (totals.failed > 0) lines.push(`All of them: npx cutover migrate --attach ${id} --report failures.csv`);
  return lines;
}
