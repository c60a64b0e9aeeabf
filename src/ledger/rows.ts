import { z } from 'zod';
import { FileCopy, FileRecord, FileReference, MigrationItem } from '../domain/models.ts';
import type { Claim, FileListing, GivenId, HeldFile, IdMapping, ProviderState, Traffic, Usage } from './ledger.ts';

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
export const row = <Schema extends z.ZodType>(schema: Schema) => z.preprocess(camel, schema);

export const CopyRow = row(FileCopy);
export const FileRow = row(FileRecord);
export const ReferenceRow = row(FileReference);
export const MigrationItemRow = row(MigrationItem);

export const HeldRow: z.ZodType<HeldFile> = row(
  z.object({
    ...{ referenceId: z.string(), id: z.string(), fileId: z.string(), name: z.string() },
    ...{ sizeBytes: z.number().nullable(), mimeType: z.string().nullable(), sha256: z.string().nullable() },
  }),
);

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

export const GivenIdRow: z.ZodType<GivenId> = z.object({ file: FileRow, held: z.array(ReferenceRow), ours: z.boolean() });
export const CopyWithFileRow = z.object({ file: FileRow, copy: CopyRow });
export const UsageRow: z.ZodType<Usage> = z.object({ purpose: z.string(), files: z.number(), bytes: z.number() });
export const ProviderStateRow: z.ZodType<ProviderState> = row(
  z.object({
    provider: z.string(),
    account: z.string(),
    reporter: z.string(),
    circuit: z.enum(['closed', 'open', 'half_open']),
    lastErrorCode: z.string().nullable(),
    lastError: z.string().nullable(),
    lastErrorAt: z.string().nullable(),
    updatedAt: z.string(),
  }),
);
export const TrafficRow: z.ZodType<Traffic> = row(
  z.object({ tool: z.string(), arm: z.string(), lastAt: z.string(), operations: z.number() }),
);

const mapping = {
  migrationId: z.string(),
  oldId: z.string(),
  sourceProvider: z.string().nullable(),
  path: z.string(),
  fileId: z.string(),
  provider: z.string().nullable(),
  providerFileId: z.string().nullable(),
  sha256: z.string().nullable(),
  sizeBytes: z.number(),
  recordedAt: z.string(),
};
export const IdMappingRow: z.ZodType<IdMapping> = row(z.object(mapping));
export const IdMapPageRow: z.ZodType<IdMapping & { cursor: string }> = row(z.object({ ...mapping, cursor: z.string() }));

/** Text as PostgreSQL takes it: it knows neither NUL nor half of a surrogate pair, and both occur in names of files. */
export function storable(text: string): string;
export function storable(text: string | null): string | null;
export function storable(text: string | null): string | null {
  return text === null ? null : text.toWellFormed().replaceAll('\0', '\u{FFFD}');
}
