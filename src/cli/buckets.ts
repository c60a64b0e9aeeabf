import { type Command, InvalidArgumentError, Option } from 'commander';
import { countOf, formatBytes, printable } from '../domain/format.ts';
import { MimeType } from '../domain/models.ts';
import { bucketsOf, contentsOf, describeContents, emptyBucket, refuseInUse, refuseNotEmpty } from '../manager/buckets.ts';
import type { Bucket, BucketSettings } from '../providers/provider.ts';
import { byteSize } from './byte-size.ts';
import { confirmed } from './confirm.ts';
import type { CommandContext } from './context.ts';
import { UsageError } from './errors.ts';

interface BucketOptions {
  provider: string;
  json?: boolean;
}

interface SettingOptions extends BucketOptions {
  public?: boolean;
  private?: boolean;
  maxFileSize?: number | 'none';
  mimeType?: readonly string[] | 'all';
}

interface RemovalOptions extends BucketOptions {
  yes?: boolean;
  force?: boolean;
}

/** `buckets list|create|update|empty|delete`. */
export function registerBuckets(program: Command, context: CommandContext): void {
  const { output, signal } = context;
  const buckets = program.command('buckets').description('the buckets of a storage');
  const command = (name: string, description: string) =>
    buckets
      .command(name)
      .description(description)
      .addOption(new Option('--provider <provider>', 'whose buckets').choices(['supabase', 's3']).default('supabase'));
  const settings = (to: Command) =>
    to
      .option('--public', 'everybody may read it, without a key')
      .option('--private', 'only those with a key may read it')
      .option('--max-file-size <size>', 'its largest file: 50MB, 1.5GB; "none" for no limit of its own', limit)
      .option(
        '--mime-type <type>',
        'a type that it takes: image/png, image/*; may be given more than once; "all" for every type',
        mimeTypes,
      )
      .option('--json', 'print the bucket as one JSON document');
  const stores = async (name: string) => {
    const { ledger, provider } = await context.services().stores();
    return { ledger, provider: provider(name) };
  };

  command('list', 'list them')
    .option('--json', 'print a JSON document for each')
    .action(async ({ provider: name, json }: BucketOptions) => {
      const found = await bucketsOf((await stores(name)).provider).list(signal);
      if (json === true) for (const bucket of found) await output.json(bucket);
      else if (found.length === 0) output.message(`There are no buckets at ${name}.`);
      else await output.table(['NAME', 'READ BY', 'LARGEST FILE', 'TYPES', 'CREATED'], found.map(row));
    });

  settings(command('create', 'create one, private unless it is said').argument('<name>')).action(
    async (bucket: string, options: SettingOptions) => {
      const store = bucketsOf((await stores(options.provider)).provider);
      await store.create(bucket, settingsOf(options), signal);
      await told(bucket, options, `Created the bucket ${bucket} at ${options.provider}.`);
    },
  );

  settings(command('update', 'change the settings that are named').argument('<name>')).action(
    async (bucket: string, options: SettingOptions) => {
      const changed = settingsOf(options);
      if (Object.keys(changed).length === 0)
        throw new UsageError('Say what to change: --public, --private, --max-file-size or --mime-type');
      await bucketsOf((await stores(options.provider)).provider).update(bucket, changed, signal);
      await told(bucket, options, `Changed the bucket ${bucket} at ${options.provider}.`);
    },
  );

  command('empty', 'delete every object of one, and what is left of broken uploads')
    .argument('<name>')
    .option('--force', 'also when the ledger counts on files in it: they are lost')
    .option('--yes', 'do not ask')
    .option('--json', 'print what was deleted as one JSON document')
    .action(async (bucket: string, { provider: name, yes, force = false, json }: RemovalOptions) => {
      const { ledger, provider } = await stores(name);
      bucketsOf(provider);
      const contents = await contentsOf(provider, bucket, signal);
      if (!force) await refuseInUse({ ledger, provider }, bucket, signal);
      output.message(`The bucket ${bucket} at ${name} has ${describeContents(contents)}.`);
      if (yes !== true && !(await confirmed(context, `Delete ${describeContents(contents)} for good?`)))
        return output.message('Nothing was deleted.');
      const emptied = await emptyBucket({ ledger, provider }, bucket, { force, signal });
      if (json === true) return await output.json({ provider: name, bucket, ...emptied });
      output.message(`Deleted ${countOf(emptied.files, 'object')}.`);
      if (emptied.copies > 0)
        output.message(`The ledger knows that ${countOf(emptied.copies, 'copy', 'copies')} of its files went with them.`);
    });

  command('delete', 'delete one that is empty')
    .argument('<name>')
    .option('--yes', 'do not ask')
    .option('--json', 'print what was deleted as one JSON document')
    .action(async (bucket: string, { provider: name, yes, json }: RemovalOptions) => {
      const { provider } = await stores(name);
      const store = bucketsOf(provider);
      await refuseNotEmpty(provider, bucket, signal);
      output.message(`The bucket ${bucket} at ${name} is empty.`);
      if (yes !== true && !(await confirmed(context, 'Delete it?'))) return output.message('Nothing was deleted.');
      await store.delete(bucket, signal);
      if (json === true) await output.json({ provider: name, bucket });
      else output.message(`Deleted the bucket ${bucket}.`);
    });

  async function told(bucket: string, { provider: name, json }: BucketOptions, message: string): Promise<void> {
    if (json !== true) return output.message(message);
    const all = await bucketsOf((await stores(name)).provider).list(signal);
    await output.json(all.find((each) => each.name === bucket));
  }
}

const row = ({ name, public: isPublic, maxFileBytes, allowedMimeTypes, createdAt }: Bucket): string[] => [
  printable(name),
  isPublic === null ? '?' : isPublic ? 'everybody' : 'keys',
  maxFileBytes === null ? '' : formatBytes(maxFileBytes),
  allowedMimeTypes?.join(' ') ?? '',
  createdAt ?? '',
];

function settingsOf({ public: open, private: closed, maxFileSize, mimeType }: SettingOptions): BucketSettings {
  if (open === true && closed === true) throw new UsageError('--public and --private contradict each other: leave one of them out');
  return {
    ...(open === true || closed === true ? { public: open === true } : {}),
    ...(maxFileSize === undefined ? {} : { maxFileBytes: maxFileSize === 'none' ? null : maxFileSize }),
    ...(mimeType === undefined ? {} : { allowedMimeTypes: mimeType === 'all' ? null : [...mimeType] }),
  };
}

const limit = (text: string): number | 'none' => (text === 'none' ? text : byteSize(text));

function mimeTypes(text: string, before: readonly string[] | 'all' = []): readonly string[] | 'all' {
  if (text === 'all' || before === 'all') return 'all';
  if (!MimeType.safeParse(text.replace(/\/\*$/, '/any')).success)
    throw new InvalidArgumentError('It must be a type such as image/png or image/*.');
  return [...before, text];
}
