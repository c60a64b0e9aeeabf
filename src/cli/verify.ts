import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { countOf, formatCount, printable } from '../domain/format.ts';
import { describeComparison, noFiles, SIGN_FILES, SIGNS, type Sign, type VerifiedFile } from '../domain/verification.ts';
import type { CommandContext } from './context.ts';
import { UsageError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { collect, wholeNumber } from './options.ts';
import { createLiveLine } from './progress.ts';
import { openSignFiles } from './sign-files.ts';

interface VerifyCommandOptions {
  to?: readonly string[];
  sample: number;
  download?: boolean;
  oneWay?: boolean;
  concurrency: number;
  dest?: string;
  match?: string;
  differ?: string;
  missingOnSrc?: string;
  missingOnDst?: string;
  error?: string;
  json?: boolean;
}

const HELP = `
One line for each file, with the signs of rclone check --combined; the ledger is the source, the provider the destination:
  = PATH  both have it and it is the same          * PATH  both have it and it differs
  - PATH  the provider has it, the ledger not       + PATH  the ledger has it, the provider not
  ! PATH  it could not be read or compared
A path is provider:id. Without --download what providers have on record is compared: a byte that changed in a storage is found by
--download alone. The sample is taken by the ids: the same share takes the same files again, and a larger one has all of a smaller.
Exit code: 0 when all that was compared is the same, 1 otherwise.`;

export function registerVerify(program: Command, context: CommandContext, exit: (code: number) => void): void {
  const file = (flag: string, sign: Sign) => new Option(`--${flag} <file>`, `write the paths with ${sign} to a file`);
  program
    .command('verify')
    .description('compare what the ledger says with what providers hold, file by file')
    .option('--to <provider>', 'one provider; give it again for more; default: all that are configured', collect)
    .addOption(new Option('--sample <share>', 'a share of the files, such as 5% or 0.05').argParser(sampleShare).default(1, '100%'))
    .option('--download', 'read every file back and hash it again')
    .option('--one-way', 'do not look for objects that the ledger does not know')
    .option('--concurrency <n>', 'files at once', wholeNumber(1, 100), 8)
    .option('--dest <folder>', 'write all five files into this folder: match, differ, missing-on-src, missing-on-dst, error')
    .addOption(file('match', '='))
    .addOption(file('differ', '*'))
    .addOption(file('missing-on-src', '-'))
    .addOption(file('missing-on-dst', '+'))
    .addOption(file('error', '!'))
    .option('--json', 'print a JSON document for each file, and one with the totals at the end')
    .addHelpText('after', HELP)
    .action(async (options: VerifyCommandOptions) => exit(await runVerify(context, options)));
}

/** `5%`, `0.05`: above 0, up to all. */
export function sampleShare(text: string): number {
  const [, number, percent] = /^(\d+(?:\.\d+)?|\.\d+)(%?)$/.exec(text.trim()) ?? [];
  const value = number === undefined ? Number.NaN : Number(number) / (percent === '%' ? 100 : 1);
  if (!(value > 0 && value <= 1)) throw new InvalidArgumentError('It must be above 0 and at most 100%: 5%, or 0.05.');
  return value;
}

/** @returns the exit code */
async function runVerify(context: CommandContext, options: VerifyCommandOptions): Promise<number> {
  const { output, signal, now } = context;
  const { sample: share, download = false, oneWay = false, concurrency, json = false } = options;
  const files = await openSignFiles(await filesOf(context, options));
  const { verifyProvider } = await import('../manager/verify.ts');
  const stores = await context.services().stores();
  const providers = [...new Set(options.to ?? stores.providers.all().map(({ name }) => name))].map((name) => stores.provider(name));
  const totals = noFiles();
  const live = createLiveLine(output.stderr, now);
  try {
    for (const provider of providers)
      for await (const file of verifyProvider(provider, stores.maintenance, { share, download, oneWay, concurrency, signal })) {
        if (file === null) {
          totals.notSampled += 1;
          continue;
        }
        totals.signs[file.sign] += 1;
        if (file.by !== null) totals.by[file.by] += 1;
        const path = `${file.provider}:${file.objectId}`;
        await files.write(file.sign, path);
        if (json) await output.json(file);
        else await tell(context, file, path);
        if (output.stdout.isTTY !== true) live.show(`${countOf(compared(totals.signs), 'file')} compared`);
      }
    await files.close();
  } catch (error) {
    await files.discard();
    throw error;
  } finally {
    live.end();
  }
  const differences = compared(totals.signs) - totals.signs['='];
  const how = describeComparison(totals);
  if (json) await output.json({ totals: { ...totals, differences }, verification: how });
  else {
    const parts = SIGNS.map((sign) => `${formatCount(totals.signs[sign])} ${sign}`);
    output.message(
      `${countOf(compared(totals.signs), 'file')}: ${parts.join(', ')}${totals.notSampled === 0 ? '' : `; ${formatCount(totals.notSampled)} not in the sample`}`,
    );
    output.message(`How: ${how}.`);
  }
  return differences === 0 ? EXIT.ok : EXIT.failed;
}

const compared = (signs: Record<Sign, number>): number => SIGNS.reduce((sum, sign) => sum + signs[sign], 0);

/** The line goes to standard output, why it is not the same beside it. */
async function tell({ output }: CommandContext, { sign, name, detail }: VerifiedFile, path: string): Promise<void> {
  const color = sign === '=' ? 'green' : 'red';
  await output.data(`${output.style(color, sign, output.stdout)} ${printable(path)}`);
  if (detail !== null) output.message(`${printable(path)}${name === null ? '' : ` (${printable(name)})`}: ${printable(detail)}`);
}

async function filesOf({ source }: CommandContext, options: VerifyCommandOptions): Promise<Partial<Record<Sign, string>>> {
  const named = { '=': options.match, '*': options.differ, '-': options.missingOnSrc, '+': options.missingOnDst, '!': options.error };
  const folder = options.dest === undefined ? null : resolve(source.cwd, options.dest);
  if (folder !== null)
    await mkdir(folder, { recursive: true }).catch((error: Error) => {
      throw new UsageError(`--dest ${options.dest} cannot be written: ${error.message}`);
    });
  const path = (sign: Sign): string | null => {
    const given = named[sign];
    if (given !== undefined) return resolve(source.cwd, given);
    return folder === null ? null : join(folder, SIGN_FILES[sign]);
  };
  const paths = SIGNS.flatMap((sign): [Sign, string][] => {
    const to = path(sign);
    return to === null ? [] : [[sign, to]];
  });
  const twice = paths.find(([, to], at) => paths.findIndex(([, other]) => other === to) < at);
  if (twice !== undefined) throw new UsageError(`${twice[1]} is given for two signs: each list needs a file of its own`);
  return Object.fromEntries(paths);
}
