import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { formatBytes, printable } from '../domain/format.ts';
import type { FileRecord } from '../domain/models.ts';
import type { ModelKind } from '../domain/time-limits.ts';
import { downloadName, refuseOverwriting } from '../manager/download-target.ts';
import { managerOf } from '../manager/manager-of.ts';
import type { Download } from '../providers/provider.ts';
import type { CommandContext } from './context.ts';
import { UsageError } from './errors.ts';
import { modelOption } from './options.ts';

interface DownloadOptions {
  output?: string;
  force?: boolean;
  model?: ModelKind;
  json?: boolean;
}

export function registerDownload(program: Command, context: CommandContext): void {
  program
    .command('download')
    .description('write a file back, checked against its SHA-256 while it is written')
    .argument('<file>', 'its id, SHA-256 or name')
    .option('-o, --output <path>', 'a file, a folder, or - for standard output; default: its name, here')
    .option('--force', 'overwrite a file that is there')
    .addOption(modelOption())
    .option('--json', 'print what was written as one JSON document')
    .action(async (given: string, options: DownloadOptions) => await runDownload(context, given, options));
}

export async function runDownload(context: CommandContext, given: string, options: DownloadOptions): Promise<void> {
  if (options.output === '-' && options.json === true)
    throw new UsageError('--json and -o - both want standard output: leave one of them out');
  const manager = await managerOf(context);
  const file = await manager.find(given);
  if (options.output === '-') return await toStdout(context, await manager.read(file, { signal: context.signal, model: options.model }));
  const target = await targetOf(file, given, options.output, context.source.cwd);
  if (options.force !== true) await refuseOverwriting(target);
  const { operationId: _, ...written } = await manager.download(file, target, { signal: context.signal, model: options.model });
  if (options.json === true) await context.output.json({ fileId: file.id, path: target, ...written });
  else context.output.message(`${printable(target)}: ${formatBytes(written.sizeBytes)}, SHA-256 ${written.sha256}`);
}

async function targetOf(file: FileRecord, given: string, output: string | undefined, cwd: string): Promise<string> {
  const name = downloadName(file, given);
  if (output === undefined) return resolve(cwd, name);
  const target = resolve(cwd, output);
  return (await stat(target).catch(() => null))?.isDirectory() === true ? join(target, name) : target;
}

async function toStdout({ output }: CommandContext, { chunks }: Download): Promise<void> {
  for await (const chunk of chunks) await output.write(chunk);
}
