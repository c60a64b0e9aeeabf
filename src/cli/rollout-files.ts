import { extname, resolve } from 'node:path';
import type { Command } from 'commander';
import { settingsOfTool } from '../config/index.ts';
import { ValidationError } from '../domain/errors.ts';
import { countOf, formatBytes, printable } from '../domain/format.ts';
import { csvRecord } from '../domain/report-format.ts';
import type { MirrorLedger, UnifiedFile } from '../ledger/mirror-ledger.ts';
import type { CommandContext } from './context.ts';
import { UsageError } from './errors.ts';
import { checkWritable, writeWholeFile } from './whole-file.ts';

interface FilesOptions {
  all?: boolean;
  missing?: boolean;
  report?: string;
  json?: boolean;
}

const PAGE = 1000;
const REPORT = { what: 'report', code: 'report_not_writable' };
const COLUMNS = ['id', 'fileId', 'name', 'userId', 'sizeBytes', 'sha256', 'legacyId'] as const satisfies readonly (keyof UnifiedFile)[];

/** `rollout files`. */
export function registerFiles(rollout: Command, context: CommandContext): void {
  const { output } = context;
  rollout
    .command('files')
    .description('the files that users were given by the candidate, and which of them legacy has by now')
    .argument('<tool>', 'kimi, smart_handler or supabase')
    .option('--all', 'also those from before the last rollout began')
    .option('--missing', 'only those that legacy does not have')
    .option('--report <file>', 'write a line for each file to a .csv or .jsonl file')
    .option('--json', 'print a JSON document for each')
    .action(async (tool: string, { all, missing = false, report, json }: FilesOptions) => {
      settingsOfTool(context.config().migration, tool);
      const target = report === undefined ? null : resolve(context.source.cwd, report);
      if (target !== null && json === true) throw new UsageError('--report writes a file and --json prints: leave one of them out');
      if (target !== null) await checkReport(target);
      const { mirrors, rollouts } = await context.services().stores();
      const since = all === true ? null : ((await rollouts.rollout(tool))?.startedAt ?? null);
      const counts = { files: 0, bytes: 0, missing: 0 };
      const files = counted(unifiedFiles(mirrors, tool, { since, missingOnly: missing }), counts, context.signal);
      if (target !== null) await writeWholeFile(target, lines(files, extname(target)), REPORT);
      else if (json === true) for await (const file of files) await output.json(file);
      else {
        await output.data(['ID', 'SIZE', 'USER', 'LEGACY ID', 'NAME'].join('  '));
        for await (const file of files)
          await output.data(
            [
              file.id,
              formatBytes(file.sizeBytes),
              printable(file.userId ?? '-'),
              printable(file.legacyId ?? '-'),
              printable(file.name),
            ].join('  '),
          );
      }
      output.message(
        `${countOf(counts.files, 'file')}, ${formatBytes(counts.bytes)}; ${countOf(counts.missing, 'file is', 'files are')} only at unified${target === null ? '' : `: ${target}`}`,
      );
      if (counts.missing > 0) output.message(`Copy them into legacy storage with: npx cutover rollout rehome ${tool}`);
    });
}

/** Page by page. */
export async function* unifiedFiles(
  mirrors: Pick<MirrorLedger, 'unifiedFiles'>,
  tool: string,
  which: { since: string | null; missingOnly: boolean },
): AsyncGenerator<UnifiedFile> {
  for (let after: string | null = null; ; ) {
    const page: UnifiedFile[] = await mirrors.unifiedFiles(tool, { ...which, after, limit: PAGE });
    yield* page;
    if (page.length < PAGE) return;
    after = page.at(-1)?.referenceId ?? null;
  }
}

async function* counted(
  files: AsyncIterable<UnifiedFile>,
  counts: { files: number; bytes: number; missing: number },
  signal: AbortSignal,
): AsyncGenerator<UnifiedFile> {
  for await (const file of files) {
    signal.throwIfAborted();
    counts.files += 1;
    counts.bytes += file.sizeBytes;
    if (file.legacyId === null) counts.missing += 1;
    yield file;
  }
}

async function checkReport(path: string): Promise<void> {
  if (!['.csv', '.jsonl'].includes(extname(path).toLowerCase()))
    throw new ValidationError(`The ${REPORT.what} ${path} must end in .csv or .jsonl`, REPORT);
  await checkWritable(path, REPORT);
}

async function* lines(files: AsyncIterable<UnifiedFile>, extension: string): AsyncGenerator<string> {
  const csv = extension.toLowerCase() === '.csv';
  if (csv) yield csvRecord(COLUMNS);
  for await (const file of files) yield csv ? csvRecord(COLUMNS.map((column) => file[column])) : `${JSON.stringify(file)}\n`;
}
