import type { FileContent, FileCopy, FileRecord, FileReference, MigrationItem, Namespace, NewReference } from '../domain/models.ts';

/** What makes two copies of a content different copies. */
export interface CopyKey {
  provider: string;
  account: string;
  purpose: string;
  namespace: Namespace;
}

export interface ClaimRequest extends CopyKey {
  content: FileContent;
  originalName: string;
  /** Who claims: the same owner asking again gets its own claim back, also after a crash. */
  owner: string;
  idempotencyKey: string;
  leaseSeconds: number;
}

/**
 * - `completed`: the copy is there; nothing is to be sent.
 * - `claimed`: the caller, and nobody else, is to send it before the lease runs out. `attempts` counts claims of this copy, from 1.
 * - `busy`: somebody else is sending (or purging) it; ask again in `retryAfterMs` at the latest.
 */
export type Claim =
  | { outcome: 'completed'; fileId: string; copyId: string; providerFileId: string; idempotencyKey: string }
  | { outcome: 'claimed'; fileId: string; copyId: string; attempts: number; lastErrorCode: string | null }
  | { outcome: 'busy'; fileId: string; copyId: string; retryAfterMs: number };

export interface Page {
  /** The last key of the page before; null for the first. */
  after: string | null;
  /** 1 to 10,000 rows; a shorter page is the last one. */
  limit: number;
}

/** A file as it is listed: the content, its live copies and how many references hold it. */
export interface FileListing extends FileRecord {
  names: string[];
  references: number;
  copies: Pick<FileCopy, 'provider' | 'status' | 'providerFileId'>[];
}

/** What is at a provider, as far as the ledger knows: copies that are there or on their way, not yet purged. */
export interface Usage {
  purpose: string;
  files: number;
  bytes: number;
}

/** How a provider looks from one process. The latest word of each process is kept; `cutover providers` shows them. */
export interface ProviderState {
  provider: string;
  account: string;
  /** Which process says so: `<host>:<pid>`. */
  reporter: string;
  circuit: 'closed' | 'open' | 'half_open';
  lastErrorCode: string | null;
  lastError: string | null;
  lastErrorAt: string | null;
  /** Set by the database when it is reported. */
  updatedAt: string;
}

/** A file as its holder calls it. */
export interface HeldFile {
  referenceId: string;
  /** By which the application knows it: the upload's own, or the file's. */
  id: string;
  fileId: string;
  name: string;
  sizeBytes: number | null;
  mimeType: string | null;
  sha256: string | null;
}

/** What stands behind an id that an application was given. */
export interface GivenId {
  file: FileRecord;
  /**
   * What the user holds under it, the oldest first, without mirrors of what legacy answered: one upload, or none (any more). More only
   * where they were given the content's own id for each, as before uploads had ids.
   */
  held: FileReference[];
  /** Whether unified has given it, to whomever. Else it is of a row of the old path. */
  ours: boolean;
}

/** Where something that moved is now. `oldId` is what it was called before: the path of a folder's file, the id at a provider. */
export interface IdMapping {
  migrationId: string;
  oldId: string;
  sourceProvider: string | null;
  path: string;
  fileId: string;
  provider: string | null;
  providerFileId: string | null;
  sha256: string | null;
  sizeBytes: number;
  /** When it was recorded that it arrived: where an id moved twice, the newer one counts. */
  recordedAt: string;
}

/** When an arm of a tool was last used. */
export interface Traffic {
  tool: string;
  arm: string;
  lastAt: string;
  operations: number;
}

/**
 * What exists where. The database decides every race: each method is one statement or one function in SQL.
 * Errors are LedgerError (unreachable: retryable; refused or schema missing: not), FileNotFoundError and ValidationError.
 */
export interface Ledger {
  /**
   * Resolves when the ledger can be used now, with the versions of the migrations that it has on record (null where there is no
   * record, because they were applied by hand); else throws what is wrong and what to do.
   */
  check(): Promise<string[] | null>;

  claim(request: ClaimRequest): Promise<Claim>;
  /** False when the claim is no longer the owner's. */
  renew(copyId: string, owner: string, leaseSeconds: number): Promise<boolean>;
  /**
   * Marks the copy as there. Idempotent. False when the claim was lost to somebody else who has not completed it. True also when
   * somebody else completed it: where ids do not follow from the content, claim again to learn which object counts.
   */
  complete(copyId: string, owner: string, providerFileId: string, expiresAt?: string | null): Promise<boolean>;
  /** Gives the claim up. Does nothing when it is no longer the owner's or the copy is completed. */
  fail(copyId: string, owner: string, errorCode: string): Promise<void>;
  /** A completed copy turned out to be damaged or gone: claims send it again and are told this code until one completes it. */
  invalidate(copyId: string, errorCode: string): Promise<void>;

  /** The end of an upload in one transaction: `complete` and, where that is true, `addReference`. Idempotent. */
  record(
    claim: Pick<Claim, 'fileId' | 'copyId'>,
    owner: string,
    providerFileId: string,
    reference: NewReference,
    expiresAt?: string | null,
  ): Promise<boolean>;
  /**
   * Idempotent: the same holder, tool and name for the same file (and the same mirrored upload, or the same id of its own) is the same
   * reference; what was once kept stays kept. An upload's own id stands for the file from then on. Takes a deletion back whose purge has
   * not begun: the file has a holder again.
   */
  addReference(fileId: string, reference: NewReference): Promise<FileReference>;
  references(fileId: string): Promise<FileReference[]>;
  /** False when there was none. Never deletes a file. */
  deleteReference(referenceId: string): Promise<boolean>;

  /** Also the file of an upload's own id, and of a row that turned out to be the same content. Null when unknown. */
  file(fileId: string): Promise<FileRecord | null>;
  fileByHash(sha256: string): Promise<FileRecord | null>;
  /** Files that somebody calls by this name, or that came under it. */
  filesByName(name: string, limit: number): Promise<FileRecord[]>;
  /** Null when unknown. Reads only. */
  givenId(id: string, userId: string | null): Promise<GivenId | null>;
  /** All rows, also failed and deleted ones. */
  copies(fileId: string): Promise<FileCopy[]>;
  /** The completed, undeleted copy that stands on this object, and its file; null where the ledger does not know it. */
  copyByProviderId(provider: string, account: string, providerFileId: string): Promise<{ file: FileRecord; copy: FileCopy } | null>;
  /** The completed copies at an account, by id: also shadow copies, and deleted ones until they are purged, which a claim takes back. */
  copiesAt(provider: string, account: string, page: Page): Promise<FileCopy[]>;
  /** What an account holds, by purpose. */
  usage(provider: string, account: string): Promise<Usage[]>;
  /** Files with at least one live copy outside of the shadow namespace, by id; at most 20 names of each, the oldest. */
  list(page: Page): Promise<FileListing[]>;
  /** What a user holds (null: nobody's), one entry for each reference, by its id; `after` is the last one's. Without mirrors of what legacy answered. */
  listHeldBy(userId: string | null, page: Page): Promise<HeldFile[]>;
  /** The file was read: retention counts from here. */
  touch(fileId: string): Promise<void>;

  /** Marks every completed copy as deleted; purging comes later. The number of copies marked; 0 when held or referenced with keep; or, on request, by anybody. */
  softDelete(fileId: string, reason: string, options?: { unreferencedOnly?: boolean }): Promise<number>;
  restore(fileId: string): Promise<number>;
  /**
   * Takes the right to delete the object at the provider. Null when the copy is not deleted, on hold, kept, purged or being purged,
   * and when a live copy for another purpose stands on the same object.
   */
  beginPurge(copyId: string, owner: string, leaseSeconds: number): Promise<FileCopy | null>;
  completePurge(copyId: string, owner: string): Promise<void>;
  failPurge(copyId: string, owner: string, errorCode: string): Promise<void>;

  reportProviderState(state: Omit<ProviderState, 'updatedAt'>): Promise<void>;
  /** Of the last day, the newest first. */
  providerStates(): Promise<ProviderState[]>;
  /** Of every tool and arm since that time, from the operation outcomes. @param since ISO 8601 */
  traffic(since: string): Promise<Traffic[]>;

  /** Idempotent by (migration, path). */
  recordMigrationItems(migrationId: string, items: readonly MigrationItem[]): Promise<void>;
  /** By path in byte order; `after` is the last path. */
  migrationItems(migrationId: string, page: Page & { status?: MigrationItem['status'] }): Promise<MigrationItem[]>;
  /**
   * The view `id_map`: each item of a migration that arrived, with the id that works now at the provider that it went to (null where
   * that copy is gone). By old id in byte order within each migration; `after` is the last row's `cursor`.
   */
  idMap(page: Page & { migrationId?: string }): Promise<(IdMapping & { cursor: string })[]>;
  /** What an old id is now, of the newest migration that moved it; null when none did. */
  resolveId(oldId: string): Promise<IdMapping | null>;
}
