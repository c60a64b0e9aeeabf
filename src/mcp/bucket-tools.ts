import { z } from 'zod';
import { FileNotFoundError, ValidationError } from '../domain/errors.ts';
import { countOf, printable } from '../domain/format.ts';
import { MimeType } from '../domain/models.ts';
import { bucketsOf, contentsOf, describeContents, emptyBucket, refuseInUse, refuseNotEmpty } from '../manager/buckets.ts';
import type { Bucket as BucketFacts, BucketSettings } from '../providers/provider.ts';
import { notConfirmed } from './file-tools.ts';
import { behind, moreLine, pageOf } from './page.ts';
import { Bucket, confirm, cursor, next } from './shapes.ts';
import { type Call, type Tool, type ToolContext, tool } from './tool.ts';

const where = { provider: z.enum(['supabase', 's3']).default('supabase').describe('whose buckets') };
const named = { ...where, name: z.string().min(1).max(255).describe('the bucket') };
const settings = {
  public: z.boolean().optional().describe('whether everybody may read it, without a key'),
  max_file_size: z.int().positive().nullable().optional().describe('its largest file in bytes; null: no limit of its own'),
  mime_type: z
    .array(
      z.string().refine((type) => MimeType.safeParse(type.replace(/\/\*$/, '/any')).success, 'must be a type such as image/png or image/*'),
    )
    .min(1)
    .nullable()
    .optional()
    .describe('the types that it takes: image/png, image/*; null: every type'),
};

async function storeOf({ world }: ToolContext, name: string) {
  const { ledger, provider } = await world.services().stores();
  return { ledger, provider: provider(name), buckets: bucketsOf(provider(name)) };
}

const settingsOf = (given: {
  public?: boolean | undefined;
  max_file_size?: number | null | undefined;
  mime_type?: string[] | null | undefined;
}): BucketSettings => ({
  ...(given.public === undefined ? {} : { public: given.public }),
  ...(given.max_file_size === undefined ? {} : { maxFileBytes: given.max_file_size }),
  ...(given.mime_type === undefined ? {} : { allowedMimeTypes: given.mime_type }),
});

async function bucketNow(context: ToolContext, provider: string, name: string, { signal }: Call): Promise<BucketFacts> {
  const found = (await (await storeOf(context, provider)).buckets.list(signal)).find((bucket) => bucket.name === name);
  if (found !== undefined) return found;
  throw new FileNotFoundError(`The bucket ${printable(name)} at ${provider} has gone meanwhile. See: npx cutover buckets list`, {
    code: 'bucket_not_found',
  });
}

export const BUCKET_TOOLS: readonly Tool[] = [
  tool({
    name: 'list_buckets',
    command: 'buckets list',
    title: 'List buckets',
    description: 'The buckets of a storage, with their settings.',
    kind: 'reads',
    openWorld: true,
    input: z.strictObject({ ...where, cursor }),
    output: z.object({ buckets: z.array(Bucket), next }),
    async run({ provider, cursor: from }, { signal }, context) {
      const keyOf = ({ name }: BucketFacts) => name;
      const all = await (await storeOf(context, provider)).buckets.list(signal);
      const { items, next: following } = await pageOf(behind(all, keyOf, from), {
        keyOf,
        maxTokens: context.world.config().mcp.maxOutputTokens,
      });
      const text = items.map((bucket) => `${printable(bucket.name)}: ${bucket.public === true ? 'everybody may read it' : 'with a key'}`);
      return {
        data: { buckets: items, next: following },
        text: text.length === 0 ? `There are no buckets at ${provider}.` : [...text, ...moreLine(following)],
      };
    },
  }),

  tool({
    name: 'create_bucket',
    command: 'buckets create',
    title: 'Create a bucket',
    description: 'Creates a bucket, private unless it is said.',
    kind: 'adds',
    openWorld: true,
    input: z.strictObject({ ...named, ...settings }),
    output: z.object({ bucket: Bucket }),
    async run({ provider, name, ...given }, call, context) {
      await (await storeOf(context, provider)).buckets.create(name, settingsOf(given), call.signal);
      return {
        data: { bucket: await bucketNow(context, provider, name, call) },
        text: `Created the bucket ${printable(name)} at ${provider}.`,
      };
    },
  }),

  tool({
    name: 'update_bucket',
    command: 'buckets update',
    title: 'Change a bucket',
    description: 'Changes the settings of a bucket that are named, and keeps the others.',
    kind: 'sets',
    openWorld: true,
    input: z.strictObject({ ...named, ...settings }),
    output: z.object({ bucket: Bucket }),
    async run({ provider, name, ...given }, call, context) {
      const changed = settingsOf(given);
      if (Object.keys(changed).length === 0)
        throw new ValidationError('Say what to change: --public, --max-file-size or --mime-type', { code: 'nothing_to_set' });
      await (await storeOf(context, provider)).buckets.update(name, changed, call.signal);
      return {
        data: { bucket: await bucketNow(context, provider, name, call) },
        text: `Changed the bucket ${printable(name)} at ${provider}.`,
      };
    },
  }),

  tool({
    name: 'empty_bucket',
    command: 'buckets empty',
    title: 'Empty a bucket',
    description:
      'Deletes every object of a bucket for good, and what is left of broken uploads. Refused while the ledger counts on files in it, unless `force` says so.',
    kind: 'destroys',
    openWorld: true,
    input: z.strictObject({
      ...named,
      force: z.boolean().default(false).describe('also when the ledger counts on files in it: they are lost'),
      confirm: confirm("the bucket's name"),
    }),
    output: z.object({
      provider: z.string(),
      bucket: z.string(),
      files: z.int(),
      copies: z.int().describe('copies of the ledger that went with them'),
    }),
    async run({ provider: at, name, force, confirm: typed }, { signal, progress }, context) {
      const { ledger, provider } = await storeOf(context, at);
      const contents = await contentsOf(provider, name, signal);
      if (!force) await refuseInUse({ ledger, provider }, name, signal);
      if (typed !== name)
        throw notConfirmed(
          `The bucket ${printable(name)} at ${at} has ${describeContents(contents)}, and this deletes them for good`,
          name,
        );
      const onProgress = (deleted: number) => progress(`${countOf(deleted, 'object')} deleted of ${contents.files}`);
      const emptied = await emptyBucket({ ledger, provider }, name, { force, signal, onProgress });
      return { data: { provider: at, bucket: name, ...emptied }, text: `Deleted ${countOf(emptied.files, 'object')}.` };
    },
  }),

  tool({
    name: 'delete_bucket',
    command: 'buckets delete',
    title: 'Delete a bucket',
    description: 'Deletes a bucket that is empty.',
    kind: 'destroys',
    openWorld: true,
    input: z.strictObject({ ...named, confirm: confirm("the bucket's name") }),
    output: z.object({ provider: z.string(), bucket: z.string() }),
    async run({ provider: at, name, confirm: typed }, { signal }, context) {
      const { provider, buckets } = await storeOf(context, at);
      await refuseNotEmpty(provider, name, signal);
      if (typed !== name) throw notConfirmed(`This deletes the bucket ${printable(name)} at ${at}, which is empty`, name);
      await buckets.delete(name, signal);
      return { data: { provider: at, bucket: name }, text: `Deleted the bucket ${printable(name)}.` };
    },
  }),
];
