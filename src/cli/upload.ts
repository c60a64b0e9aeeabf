import { basename, resolve } from 'node:path';
import type { Command } from 'commander';
import { USES } from '../domain/capabilities.ts';
import { FileManagementError, messageOf } from '../domain/errors.ts';
import { formatBytes, printable } from '../domain/format.ts';
import { type FileOperationResult, NewReference, type PathSource, type Verification } from '../domain/models.ts';
import type { ModelKind } from '../domain/time-limits.ts';
import { managerOf } from '../manager/manager-of.ts';
import { type UploadOptions as DurableUpload, type StartedUpload, uploadDurably } from '../manager/uploader.ts';
import { pathSourceOf } from '../sources/path-source.ts';
import type { CommandContext } from './context.ts';
import { describeError, exitCodeOf, UsageError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { createLateNotice } from './late.ts';
import { collect, modelOption, toOption, verifyOption } from './options.ts';
import { requireProvider } from './services.ts';

/** For `--to`: the smart handler chooses. */
const AUTO = 'auto';
/** Uploads under way at once: each is a workflow of its own. */
const AT_ONCE = 16;

interface UploadOptions {
  to: string;
  tool: string;
  purpose: string;
  tag?: readonly string[];
  context?: string;
  user?: string;
  name?: string;
  verify?: Exclude<Verification, 'none'>;
  model?: ModelKind;
  json?: boolean;
}

export function registerUpload(program: Command, context: CommandContext, exit: (code: number) => void): void {
  program
    .command('upload')
    .description('upload files, each in a durable workflow; content that is there already is not sent again')
    .argument('<file...>', 'the files')
    .addOption(toOption(`the provider to which files go, or ${AUTO}: the one that suits each best`))
    .option('--tool <name>', 'the tool on whose behalf', 'cli')
    .option('--purpose <purpose>', `what it is for: ${USES.join(', ')}, or a purpose of the provider's own`, 'storage')
    .option('--tag <tag>', 'a tag; may be given more than once', collect)
    .option('--context <text>', 'anything worth remembering')
    .option('--user <id>', 'the user on whose behalf')
    .option('--name <name>', 'the name in the ledger, for a single file; default: its own')
    .addOption(verifyOption())
    .addOption(modelOption())
    .option('--json', 'print a JSON document for each file')
    .action(async (files: string[], options: UploadOptions) => exit(await runUpload(context, files, options)));
}

/** @returns the exit code: of the only file's error, or 1 when one of several failed. */
export async function runUpload(context: CommandContext, files: readonly string[], options: UploadOptions): Promise<number> {
  if (options.name !== undefined && files.length > 1) throw new UsageError('--name names one file: upload the others separately');
  if (options.to !== AUTO) await requireProvider(context, options.to);
  const client = await context.services().client();
  const left = files.values();
  const failures: unknown[] = [];
  const unlessLate = createLateNotice({ config: context.config(), output: context.output, model: options.model });
  const worker = async (): Promise<void> => {
    for (const file of left) {
      if (context.signal.aborted) return;
      try {
        const path = resolve(context.source.cwd, file);
        const started = ({ workflowId }: StartedUpload) => announce(context, client.workflowUrl(workflowId));
        const source = await pathSourceOf(path);
        const upload: Omit<DurableUpload, 'provider'> = {
          reference: referenceOf(path, options),
          verify: options.verify ?? 'none',
          model: options.model,
          onDuplicate: context.config().files.onDuplicate,
          signal: context.signal,
          ...(files.length === 1 ? { onStarted: started } : {}),
        };
        const result = await unlessLate(source.sizeBytes, () =>
          options.to === AUTO
            ? uploadAnywhere(context, source, upload)
            : uploadDurably(source, { ...upload, provider: options.to }, client),
        );
        await tell(context, file, result, options);
      } catch (error) {
        if (context.signal.aborted) return;
        failures.push(error);
        await tellFailure(context, file, error, options);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, files.length) }, worker));
  if (context.signal.aborted) {
    context.output.message('Detached. Uploads that were started go on; the same command again waits for them.');
    return EXIT.interrupted;
  }
  if (failures.length === 0) return EXIT.ok;
  return files.length === 1 ? exitCodeOf(failures[0]) : EXIT.failed;
}

function referenceOf(path: string, { tool, purpose, tag, context, user, name }: UploadOptions): NewReference {
  const parsed = NewReference.safeParse({
    tool,
    purpose,
    tags: tag ?? [],
    context: context ?? null,
    userId: user ?? null,
    name: name ?? basename(path),
  });
  if (parsed.success) return parsed.data;
  throw new UsageError(
    parsed.error.issues
      .map((issue) => `--${String(issue.path[0]).replace('userId', 'user').replace('tags', 'tag')}: ${issue.message}`)
      .join('; '),
  );
}

/** The smart handler chooses, and says why. */
async function uploadAnywhere(context: CommandContext, source: PathSource, upload: Omit<DurableUpload, 'provider'>) {
  const { reason, considered, operationId, result } = await (await managerOf(context)).uploadToBest(source, upload);
  context.output.message(printable(reason));
  return { ...result, operationId, reason, considered };
}

function announce({ output }: CommandContext, url: string | null): void {
  if (url !== null) output.message(url);
}

async function tell({ output }: CommandContext, file: string, result: FileOperationResult, { json }: UploadOptions): Promise<void> {
  if (json === true) return await output.json({ file, ...result });
  const how = result.outcome === 'uploaded' ? 'uploaded' : 'there already';
  const checked = result.verified === 'none' ? '' : `, verified (${result.verified})`;
  await output.data(`${result.fileId}  ${how}${checked}  ${formatBytes(result.sizeBytes)}  ${printable(file)}`);
}

async function tellFailure(context: CommandContext, file: string, error: unknown, { json }: UploadOptions): Promise<void> {
  if (json === true)
    await context.output.json({
      file,
      outcome: 'failed',
      error: error instanceof FileManagementError ? error.toJSON() : { message: messageOf(error) },
    });
  context.output.message(`${printable(file)}: ${describeError(error, { debug: context.config().log.debug })}`);
}
