import { z } from 'zod';

/** The schemas are the single source of the types. Field names are those of the ledger's columns, in camel case. */

/** Lower-case hex, 64 digits. */
export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in lower-case hex (64 digits)');
export const FileId = z.uuid();
/** RFC 6838: `type/subtype`, parameters allowed. */
export const MimeType = z
  .string()
  .max(255)
  .regex(/^[\w.+-]+\/[\w.+-]+(\s*;\s*[\w.-]+=("[^"]*"|[\w.+-]+))*$/, 'must be a MIME type such as text/plain');
const Bytes = z.number().int().nonnegative();
const Timestamp = z.string();

/** Namespaces keep what a shadow comparison uploads apart from what users see. */
export const Namespace = z.enum(['live', 'shadow']);
export type Namespace = z.infer<typeof Namespace>;

/** Whether a reference holds a file until it is deleted, or lets retention take it. */
export const Keep = z.enum(['keep', 'expire']);
export type Keep = z.infer<typeof Keep>;

/** What a caller says about a file when uploading it. */
export const FileUploadMetadata = z.object({
  purpose: z.string().min(1).max(100).default('storage'),
  context: z.string().max(4000).nullable().default(null),
  tags: z.array(z.string().min(1).max(200)).max(100).default([]),
});
export type FileUploadMetadata = z.infer<typeof FileUploadMetadata>;

/** Who will hold a content, and under which name of their own. */
export const NewReference = FileUploadMetadata.extend({
  tool: z.string().min(1).max(100),
  userId: z.string().min(1).max(500).nullable().default(null),
  name: z.string().min(1).max(4096),
  keep: Keep.default('keep'),
  /** Of the upload at the old path that it mirrors: legacy answered, and the application knows that id. Absent: this side answered. */
  legacyId: z.string().min(1).max(4096).nullish(),
  /** Of this one upload, which is a file of its own to the application, and known to it by this. Absent: it is known by the file's id. */
  uploadId: z.uuid().nullish(),
});
export type NewReference = z.infer<typeof NewReference>;

export const FileReference = NewReference.extend({ id: z.uuid(), fileId: FileId, createdAt: Timestamp });
export type FileReference = z.infer<typeof FileReference>;

/** A row of `files`: one distinct content. `sha256` is null for rows that were there before us and are not hashed yet. */
export const FileRecord = z.object({
  id: FileId,
  sha256: Sha256.nullable(),
  sizeBytes: Bytes.nullable(),
  mimeType: z.string().nullable(),
  originalName: z.string().nullable(),
  storagePath: z.string().nullable(),
  duplicateOf: FileId.nullable(),
  createdAt: Timestamp.nullable(),
  accessedAt: Timestamp.nullable(),
});
export type FileRecord = z.infer<typeof FileRecord>;

export const UploadStatus = z.enum(['pending', 'uploading', 'completed', 'failed']);
export type UploadStatus = z.infer<typeof UploadStatus>;

/** A row of `provider_file_uploads`: one copy of a content at a provider. */
export const FileCopy = z.object({
  id: z.uuid(),
  fileId: FileId,
  provider: z.string(),
  account: z.string(),
  purpose: z.string(),
  namespace: Namespace,
  status: UploadStatus,
  providerFileId: z.string().nullable(),
  attempts: z.number().int(),
  lastErrorCode: z.string().nullable(),
  leaseOwner: z.string().nullable(),
  leaseExpiresAt: Timestamp.nullable(),
  deletedAt: Timestamp.nullable(),
  deletionReason: z.string().nullable(),
  purgedAt: Timestamp.nullable(),
  /** When the provider itself drops the object. */
  expiresAt: Timestamp.nullable().default(null),
  legalHold: z.boolean(),
  needsReview: z.boolean(),
  updatedAt: Timestamp,
});
export type FileCopy = z.infer<typeof FileCopy>;

/** What the bytes of a file are, learned by reading all of them once. */
export const FileContent = z.object({ sha256: Sha256, sizeBytes: Bytes, mimeType: MimeType });
export type FileContent = z.infer<typeof FileContent>;

/** How a stored copy was compared with its source: not at all, by the size and hash on record, or by reading it back. */
export const Verification = z.enum(['none', 'stored', 'download']);
export type Verification = z.infer<typeof Verification>;

/**
 * The answer to an upload. `deduplicated`: the content was there already and no byte was sent. `uploadId`: its own id, where it was
 * asked to have one.
 */
export const FileOperationResult = z.object({
  outcome: z.enum(['uploaded', 'deduplicated']),
  fileId: FileId,
  sha256: Sha256,
  sizeBytes: Bytes,
  mimeType: MimeType,
  provider: z.string(),
  providerFileId: z.string(),
  verified: Verification,
  uploadId: z.uuid().optional(),
});
export type FileOperationResult = z.infer<typeof FileOperationResult>;

/** A file that workers can see: `path` is absolute; size and time are as they were when it was listed. */
export const PathSource = z.object({
  kind: z.literal('path'),
  path: z.string().min(1),
  sizeBytes: Bytes,
  modifiedMs: z.number(),
});
export type PathSource = z.infer<typeof PathSource>;

/** An object at a provider: a file of an account, an object in a bucket. */
export const ObjectSource = z.object({
  kind: z.literal('object'),
  provider: z.string().min(1),
  id: z.string().min(1),
  sizeBytes: Bytes,
  /** As the provider shows it; it tells the type where the provider does not. */
  name: z.string().min(1),
  mimeType: z.string().nullable(),
});
export type ObjectSource = z.infer<typeof ObjectSource>;

/** Where a worker finds the bytes: never the bytes themselves. */
export const FileSource = z.discriminatedUnion('kind', [PathSource, ObjectSource]);
export type FileSource = z.infer<typeof FileSource>;

/** One line of a migration's report. `path` is relative to the source's root. */
export const MigrationItem = z.object({
  path: z.string(),
  sizeBytes: Bytes,
  status: z.enum(['uploaded', 'deduplicated', 'failed', 'cancelled', 'skipped']),
  sha256: Sha256.nullable(),
  fileId: FileId.nullable(),
  providerFileId: z.string().nullable(),
  verified: Verification,
  errorCode: z.string().nullable(),
  error: z.string().nullable(),
  /** Where it came from a provider: which, and its id there. */
  sourceProvider: z.string().nullable().default(null),
  sourceId: z.string().nullable().default(null),
});
export type MigrationItem = z.infer<typeof MigrationItem>;
