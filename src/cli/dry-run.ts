import { countOf, formatBytes, printable } from '../domain/format.ts';
import type { MigrationItem } from '../domain/models.ts';
import { planMigration } from '../manager/plan.ts';
import { createUploadSteps } from '../manager/upload-steps.ts';
import type { Source } from '../sources/source.ts';
import type { CommandContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { writeReport } from './report.ts';

/** Says what a migration would do: reads every file and asks the ledger, as the real run would, and changes nothing. @returns the exit code */
export async function dryRun(
  context: CommandContext,
  source: Source,
  { to, purpose, report, json }: { to: string; purpose: string; report: string | null; json: boolean },
): Promise<number> {
  const { output, signal } = context;
  const { ledger, provider } = await context.services().stores();
  const counts = { uploaded: 0, deduplicated: 0, failed: 0, cancelled: 0, skipped: 0 };
  const bytes = { ...counts };
  async function* items(): AsyncGenerator<MigrationItem> {
    const steps = createUploadSteps({ ledger, provider, limits: context.config().files });
    for await (const page of planMigration(source, to, { ledger, provider, steps, purpose }, signal))
      for (const item of page) {
        counts[item.status] += 1;
        bytes[item.status] += item.sizeBytes;
        if (item.error !== null) output.message(`${item.status}: ${printable(item.error)}`);
        yield item;
      }
  }
  if (report !== null) await writeReport(report, items());
  else for await (const _ of items());
  if (json)
    await output.json({
      dryRun: true,
      upload: counts.uploaded,
      uploadBytes: bytes.uploaded,
      there: counts.deduplicated,
      thereBytes: bytes.deduplicated,
      failed: counts.failed,
      skipped: counts.skipped,
      report,
    });
  else {
    await output.data(`Would upload ${countOf(counts.uploaded, 'file')}, ${formatBytes(bytes.uploaded)}.`);
    await output.data(
      `There already, or twice in the source: ${countOf(counts.deduplicated, 'file')}, ${formatBytes(bytes.deduplicated)}.`,
    );
    if (counts.failed > 0) await output.data(`Would fail: ${countOf(counts.failed, 'file')}.`);
    if (counts.skipped > 0) await output.data(`Would skip: ${countOf(counts.skipped, 'name')}, not files.`);
    await output.data('Nothing was started or changed.');
  }
  return counts.failed > 0 ? EXIT.failed : EXIT.ok;
}
