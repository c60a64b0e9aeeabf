import { z } from 'zod';
import { FileCopy, FileRecord, FileReference, MigrationItem } from '../domain/models.ts';
import type { Claim, FileListing } from './ledger.ts';

/** Rows and answers of the ledger's functions, as they come over the wire, turned into the models. */

/** `provider_file_id` → `providerFileId`; `upload_status` is the models' `status`. */
function camel(row: unknown): unknown {
  if (typeof row !== 'object' || row === null || Array.isArray(row)) return row;
  const entries = Object.entries(row).map(([key, value]) => [
    key === 'upload_status' ? 'status' : key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    value,
  ]);
  return Object.fromEntries(entries);
}
const row = <Schema extends z.ZodType>(schema: Schema) => z.preprocess(camel, schema);

export const CopyRow = row(FileCopy);
export const FileRow = row(FileRecord);
export const ReferenceRow = row(FileReference);
export const MigrationItemRow = row(MigrationItem);

export const ListingRow: z.ZodType<FileListing> = row(
  FileRecord.extend({
    names: z.array(z.string()),
    references: z.number(),
    copies: z.array(row(FileCopy.pick({ provider: true, status: true, providerFileId: true }))),
  }),
);

const claimOf = { fileId: z.string(), copyId: z.string() };
export const ClaimRow: z.ZodType<Claim> = row(
  z.discriminatedUnion('outcome', [
    z.object({ outcome: z.literal('completed'), ...claimOf, providerFileId: z.string(), idempotencyKey: z.string() }),
    z.object({ outcome: z.literal('claimed'), ...claimOf, attempts: z.number(), lastErrorCode: z.string().nullable() }),
    z.object({ outcome: z.literal('busy'), ...claimOf, retryAfterMs: z.number() }),
  ]),
);

/** Text as PostgreSQL takes it: it knows neither NUL nor half of a surrogate pair, and both occur in names of files. */
export function storable(text: string): string;
export function storable(text: string | null): string | null;
export function storable(text: string | null): string | null {
  return text === null ? null : text.toWellFormed().replaceAll('\0', '\u{FFFD}');
}
