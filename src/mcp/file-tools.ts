import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ValidationError } from '../domain/errors.ts';
import { countOf, formatBytes, printable } from '../domain/format.ts';
import { FileCopy, FileRecord, FileReference } from '../domain/models.ts';
import { chosenHolds, describeHold } from '../manager/chosen-holds.ts';
import { downloadName, refuseOverwriting } from '../manager/download-target.ts';
import { holdFile } from '../manager/hold.ts';
import { managerOf } from '../manager/manager-of.ts';
import { restoreFile } from '../manager/restore.ts';
import { moreLine, pageOf } from './page.ts';
import { confirm, cursor, fileNamed, ListedFile, next, reason, StoredObject } from './shapes.ts';
import { type Tool, tool } from './tool.ts';

/** Files of the ledger; what sends bytes to a provider is in `upload-tools.ts`. */
export const FILE_TOOLS: readonly Tool[] = [
  tool({
    name: 'download_file',
    command: 'download',
    title: 'Download a file',
    description:
      'Writes a file back to a path of this machine, checked against its SHA-256 while it is written: it appears whole and right, or not at all. Overwrites nothing unless `force` says so.',
    kind: 'destroys',
    openWorld: true,
    input: z.strictObject({
      file: fileNamed,
      path: z
        .string()
        .min(1)
        .max(4096)
        .optional()
        .describe('a file or a folder in the folders of this server; default: its name, in the first of them'),
      force: z.boolean().default(false).describe('overwrite a file that is there'),
    }),
    output: z.object({ fileId: z.uuid(), path: z.string(), sizeBytes: z.int(), sha256: z.string() }),
    async run({ file: given, path, force }, { signal, progress }, { world, roots }) {
      const manager = await managerOf(world);
      const file = await manager.find(given);
      const name = downloadName(file, given);
      const named = await roots.writable(path ?? name);
      const isFolder = path !== undefined && (await lstat(named).catch(() => null))?.isDirectory() === true;
      const target = isFolder ? await roots.writable(join(named, name)) : named;
      if (!force) await refuseOverwriting(target);
      const onProgress = inSteps((bytes) =>
        progress(`${formatBytes(bytes)} of ${file.sizeBytes === null ? '?' : formatBytes(file.sizeBytes)}`),
      );
      const { sizeBytes, sha256 } = await manager.download(file, target, { signal, onProgress });
      return {
        data: { fileId: file.id, path: target, sizeBytes, sha256 },
        text: `${printable(target)}: ${formatBytes(sizeBytes)}, SHA-256 ${sha256}`,
      };
    },
  }),

  tool({
    name: 'list_files',
    command: 'list',
    title: 'List files',
    description: 'The files of the ledger that have a live copy, by their ids; cut where the answer is long, with a cursor to go on.',
    kind: 'reads',
    input: z.strictObject({ limit: z.int().min(1).max(10_000).optional().describe('how many at most'), cursor }),
    output: z.object({ files: z.array(ListedFile), next }),
    async run({ limit, cursor: after }, _, { world }) {
      const files = (await managerOf(world)).list({ after: fileIdOf(after) });
      const { items, next: following } = await pageOf(files, {
        keyOf: ({ id }) => id,
        limit,
        maxTokens: world.config().mcp.maxOutputTokens,
      });
      const line = ({ id, sizeBytes, names, originalName, copies }: (typeof items)[number]) =>
        `${id}  ${sizeBytes === null ? '?' : formatBytes(sizeBytes)}  ${copies.map(({ provider }) => provider).join(', ')}  ${printable(names[0] ?? originalName ?? '-')}`;
      return {
        data: { files: items, next: following },
        text: items.length === 0 ? 'There are no more files.' : [...items.map(line), ...moreLine(following)],
      };
    },
  }),

  tool({
    name: 'get_file_info',
    command: 'info',
    title: 'Look at a file',
    description: 'What the ledger knows of a file, what the providers say of its copies, and who holds it.',
    kind: 'reads',
    openWorld: true,
    input: z.strictObject({ file: fileNamed }),
    output: z.object({
      file: FileRecord,
      copies: z.array(FileCopy.extend({ object: StoredObject.nullable().describe('what the provider says of it; null: it has none') })),
      references: z.array(FileReference).describe('who holds it: the first of them'),
      referencesInAll: z.int(),
    }),
    async run({ file: given }, { signal }, { world }) {
      const { operationId: _, copies, references, ...file } = await (await managerOf(world)).info(given, { signal });
      // Half of the room is the copies'.
      const { items } = await pageOf(references, { keyOf: ({ id }) => id, maxTokens: world.config().mcp.maxOutputTokens / 2 });
      const size = file.sizeBytes === null ? 'of unknown size' : formatBytes(file.sizeBytes);
      return {
        data: { file, copies, references: items, referencesInAll: references.length },
        text: [
          `${printable(file.originalName ?? '-')} (${file.id}), ${size}, SHA-256 ${file.sha256 ?? 'not known'}`,
          ...copies.map((copy) => `copy at ${copy.provider}: ${printable(copy.providerFileId ?? '-')}, ${fateOf(copy)}`),
          `Held by ${references.length}:`,
          ...items.map(describeHold),
        ],
      };
    },
  }),

  tool({
    name: 'delete_file',
    command: 'delete',
    title: 'Delete a file',
    description:
      'Gives up a hold on a file; the file goes when nobody holds it any more. It can be restored until it is purged; with `purge` its objects go at once and for good.',
    kind: 'destroys',
    openWorld: true,
    input: z.strictObject({
      file: fileNamed,
      reference: z.array(z.uuid()).min(1).optional().describe('which holds to give up, where there are several: their ids'),
      all: z.boolean().optional().describe('give up every hold'),
      purge: z.boolean().default(false).describe('remove the stored objects at once; they cannot be restored then'),
      reason: z.string().min(1).max(1000).default('deleted by hand').describe('why, for the ledger'),
      confirm: confirm("the file's id"),
    }),
    output: z.object({
      fileId: z.uuid(),
      references: z.int().describe('holds that were given up'),
      copies: z.int().describe('copies that were marked as deleted'),
      purged: z.int().describe('objects that were removed'),
      heldBy: z.array(FileReference).describe('who still holds it, so that it stays'),
    }),
    async run({ file: given, reference, all, purge, reason: why, confirm: typed }, { signal }, { world }) {
      const manager = await managerOf(world);
      const file = await manager.find(given);
      const references = await manager.references(file);
      const which = chosenHolds(references, { reference, all }, { given, file });
      const holds = countOf(which === 'all' ? references.length : which.length, 'hold');
      if (typed !== file.id)
        throw notConfirmed(
          `This gives up ${holds} on ${printable(file.originalName ?? file.id)}${purge ? ' and removes its stored objects for good' : ''}`,
          file.id,
        );
      const deleted = await manager.delete(file, { references: which, reason: why, purge, signal });
      return {
        data: { fileId: file.id, ...deleted },
        text: [
          `Gave up ${countOf(deleted.references, 'hold')} on ${file.id}.`,
          ...(deleted.heldBy.length > 0 ? ['The file stays, because others hold it:', ...deleted.heldBy.map(describeHold)] : []),
          ...(deleted.copies > 0
            ? [`Marked ${countOf(deleted.copies, 'copy', 'copies')} as deleted; removed ${countOf(deleted.purged, 'object')}.`]
            : []),
        ],
      };
    },
  }),

  tool({
    name: 'restore_file',
    command: 'restore',
    title: 'Restore a file',
    description: 'Takes the deletion of a file back, within the grace (PURGE_GRACE_DAYS).',
    kind: 'adds',
    input: z.strictObject({ file: fileNamed }),
    output: z.object({
      fileId: z.uuid(),
      restored: z.array(z.object({ copyId: z.uuid(), provider: z.string(), purpose: z.string(), providerFileId: z.string().nullable() })),
    }),
    async run({ file: given }, _, { world }) {
      const file = await (await managerOf(world)).find(given);
      const copies = await restoreFile(file, (await world.services().stores()).ledger);
      const restored = copies.map(({ id, provider, purpose, providerFileId }) => ({ copyId: id, provider, purpose, providerFileId }));
      return { data: { fileId: file.id, restored }, text: `Restored ${file.id}: ${countOf(copies.length, 'copy', 'copies')}.` };
    },
  }),

  tool({
    name: 'hold_file',
    command: 'hold',
    title: 'Put a file on legal hold',
    description: 'Nothing deletes or purges a file on hold until the hold is released (`release`).',
    kind: 'sets',
    input: z.strictObject({ file: fileNamed, release: z.boolean().default(false).describe('take the hold off'), reason }),
    output: z.object({
      fileId: z.uuid(),
      hold: z.boolean(),
      copies: z.int(),
      purging: z.int().describe('objects that are being deleted at this moment, which cannot be stopped'),
      history: z.array(z.object({ hold: z.boolean(), reason: z.string().nullable(), setBy: z.string(), at: z.string() })),
    }),
    async run({ file: given, release, reason: why = null }, _, { world, by }) {
      const file = await (await managerOf(world)).find(given);
      const { retention } = await world.services().stores();
      const held = await holdFile(file, { hold: !release, reason: why, by }, retention);
      return { data: held, text: `${release ? 'Released' : 'On hold'}: ${file.id}, ${countOf(held.copies, 'copy', 'copies')}.` };
    },
  }),
];

/** What would go, and how to say that it is meant. */
export const notConfirmed = (what: string, typed: string): ValidationError =>
  new ValidationError(`${what}. Nothing was done. If it is meant, call again with confirm: ${JSON.stringify(typed)}`, {
    code: 'not_confirmed',
  });

function fileIdOf(after: string | undefined): string | null {
  if (after === undefined || FileRecord.shape.id.safeParse(after).success) return after ?? null;
  throw new ValidationError('`cursor` must be the `next` of an answer of list_files', { code: 'cursor_invalid' });
}

function fateOf({
  status,
  deletedAt,
  legalHold,
  object,
}: {
  status: string;
  deletedAt: string | null;
  legalHold: boolean;
  object: unknown;
}): string {
  const fate = deletedAt === null ? status : `deleted ${deletedAt}`;
  const lost = status === 'completed' && deletedAt === null && object === null ? ', but the object is missing there' : '';
  return `${fate}${lost}${legalHold ? ', on hold' : ''}`;
}

/** Bytes come in small chunks: each 16 MiB are told. */
function inSteps(tell: (bytes: number) => void): (bytes: number) => void {
  const STEP = 16 * 1024 * 1024;
  let told = 0;
  return (bytes) => {
    if (bytes - told < STEP) return;
    told = bytes;
    tell(bytes);
  };
}
